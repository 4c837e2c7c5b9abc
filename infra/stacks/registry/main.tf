module "registry" {
  source       = "../../modules/registry"
  name         = coalesce(var.repository_name, var.service)
  force_delete = var.force_delete
}
