output "repository_url" { value = module.registry.repository_url }
output "repository_arn" { value = module.registry.repository_arn }
