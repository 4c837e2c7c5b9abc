locals {
  name   = "${var.service}-${var.environment}"
  region = data.aws_region.current.name
}

module "network" {
  source            = "../../modules/network"
  name              = local.name
  region            = local.region
  cidr_block        = var.vpc_cidr
  az_count          = var.az_count
  nat_gateway_count = var.nat_gateway_count
  container_port    = var.container_port
}

# One repository serves every environment: what was tested in staging is what runs in production.
data "aws_ecr_repository" "this" {
  name = coalesce(var.repository_name, var.service)
}

module "cluster" {
  source = "../../modules/cluster"
  name   = local.name
}

module "service" {
  source                  = "../../modules/service"
  name                    = local.name
  region                  = local.region
  cluster_arn             = module.cluster.arn
  cluster_name            = module.cluster.name
  vpc_id                  = module.network.vpc_id
  public_subnet_ids       = module.network.public_subnet_ids
  private_subnet_ids      = module.network.private_subnet_ids
  lb_security_group_id    = module.network.lb_security_group_id
  tasks_security_group_id = module.network.tasks_security_group_id
  certificate_arn         = var.certificate_arn
  zone_name               = var.zone_name
  record_name             = var.record_name
  container_port          = var.container_port
  health_check_path       = var.health_check_path
  cpu                     = var.cpu
  memory                  = var.memory
  min_capacity            = var.min_capacity
  max_capacity            = var.max_capacity
  deletion_protection     = var.deletion_protection

  health_check              = var.health_check
  health_check_grace_period = var.health_check_grace_period
  deregistration_delay      = var.deregistration_delay
  stop_timeout              = var.stop_timeout
}

module "observability" {
  source                = "../../modules/observability"
  name                  = local.name
  region                = local.region
  cluster_name          = module.cluster.name
  service_names         = module.service.service_names
  load_balancer_suffix  = module.service.load_balancer_suffix
  target_group_suffixes = module.service.target_group_suffixes
  notify_emails         = var.notify_emails
  alarm_period          = var.alarm_period
}

module "deploy_role" {
  count              = length(var.control_plane_role_arns) > 0 ? 1 : 0
  source             = "../../modules/deploy-role"
  name               = local.name
  trusted_role_arns  = var.control_plane_role_arns
  repository_arn     = data.aws_ecr_repository.this.arn
  cluster_arn        = module.cluster.arn
  task_family        = module.service.deploy_contract.task_family
  service_ids        = module.service.service_ids
  listener_rule_arns = module.service.listener_rule_arns
  passable_role_arns = module.service.role_arns
  topic_arn          = module.observability.topic_arn
  topic_key_arn      = module.observability.topic_key_arn
  hosted_zone_id     = module.service.deploy_contract.hosted_zone_id
  record_name        = var.record_name
  signing_key_alias  = var.signing_key_alias
  bucket             = var.bucket
}
