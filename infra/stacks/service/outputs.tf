# What the deployer needs of this environment; its fields are those of delivery/core/infra.py: DeployContract.
output "deploy_contract" {
  value = merge(module.service.deploy_contract, {
    service         = var.service
    environment     = var.environment
    region          = local.region
    cluster         = module.cluster.name
    repository_url  = data.aws_ecr_repository.this.repository_url
    topic_arn       = module.observability.topic_arn
    alarm_names     = module.observability.alarm_names
    deploy_role_arn = one(module.deploy_role[*].role_arn)
  })
}
