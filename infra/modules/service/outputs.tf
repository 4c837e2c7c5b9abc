# What the deployer needs to find, and nothing it could find out for itself.
output "deploy_contract" {
  value = {
    task_family           = aws_ecs_task_definition.bootstrap.family
    container_name        = var.container_name
    container_port        = var.container_port
    cpu                   = var.cpu
    memory                = var.memory
    task_template         = local.task_template
    preview_header_name   = local.preview_header.name
    preview_header_value  = local.preview_header.value
    load_balancer_suffix  = aws_lb.this.arn_suffix
    target_group_suffixes = { for k, t in aws_lb_target_group.slot : k => t.arn_suffix }
    listener_arn          = aws_lb_listener.front_end.arn
    production_rule_arn   = aws_lb_listener_rule.production.arn
    preview_rule_arn      = aws_lb_listener_rule.preview.arn
    services              = { for k, s in aws_ecs_service.slot : k => s.name }
    target_groups         = { for k, t in aws_lb_target_group.slot : k => t.arn }
    min_capacity          = var.min_capacity
    max_capacity          = var.max_capacity
    execution_role_arn    = aws_iam_role.execution.arn
    task_role_arn         = aws_iam_role.task.arn
    log_group             = aws_cloudwatch_log_group.this.name
    load_balancer_dns     = aws_lb.this.dns_name
    load_balancer_zone    = aws_lb.this.zone_id
    hosted_zone_id        = try(data.aws_route53_zone.this[0].zone_id, null)
    record_name           = var.record_name
    subnets               = var.private_subnet_ids
    security_groups       = [var.tasks_security_group_id]
    extra                 = { scheme = var.certificate_arn == null ? "http" : "https" }
  }
}
output "load_balancer_suffix" { value = aws_lb.this.arn_suffix }
output "target_group_suffixes" { value = { for k, t in aws_lb_target_group.slot : k => t.arn_suffix } }
output "service_names" { value = { for k, s in aws_ecs_service.slot : k => s.name } }
output "role_arns" { value = [aws_iam_role.execution.arn, aws_iam_role.task.arn] }
output "listener_rule_arns" { value = [aws_lb_listener_rule.production.arn, aws_lb_listener_rule.preview.arn] }
output "service_ids" { value = [for s in aws_ecs_service.slot : s.id] }
output "slots_desired" { value = { for k, s in aws_ecs_service.slot : k => s.desired_count } }
