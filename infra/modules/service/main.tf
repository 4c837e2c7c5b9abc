locals {
  slots          = toset(["blue", "green"])
  preview_header = { name = "X-Delivery-Preview", value = "candidate" }
  # What the deployer copies the image and the environment into. Reviewed here, never edited there.
  task_template = {
    name                   = var.container_name
    essential              = true
    readonlyRootFilesystem = true
    stopTimeout            = var.stop_timeout
    portMappings           = [{ containerPort = var.container_port, protocol = "tcp" }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.this.name
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = "app"
      }
    }
  }
}

# --- load balancer -----------------------------------------------------------
resource "aws_lb" "this" {
  name                       = var.name
  internal                   = false
  load_balancer_type         = "application"
  security_groups            = [var.lb_security_group_id]
  subnets                    = var.public_subnet_ids
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
}

resource "aws_lb_target_group" "slot" {
  for_each             = local.slots
  name                 = "${var.name}-${each.key}"
  port                 = var.container_port
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = var.deregistration_delay
  health_check {
    path                = var.health_check_path
    healthy_threshold   = var.health_check.healthy_threshold
    unhealthy_threshold = var.health_check.unhealthy_threshold
    interval            = var.health_check.interval
    timeout             = var.health_check.timeout
    protocol            = "HTTP"
    matcher             = "200"
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "front_end" {
  load_balancer_arn = aws_lb.this.arn
  port              = var.certificate_arn == null ? 80 : 443
  protocol          = var.certificate_arn == null ? "HTTP" : "HTTPS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = var.certificate_arn == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "no route"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener" "redirect" {
  count             = var.certificate_arn == null ? 0 : 1
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

# The deployer moves these weights while a release is in progress. Terraform
# creates the rule and then leaves its action alone.
resource "aws_lb_listener_rule" "production" {
  listener_arn = aws_lb_listener.front_end.arn
  priority     = 100
  condition {
    path_pattern {
      values = ["/*"]
    }
  }
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.slot["blue"].arn
        weight = 100
      }
      target_group {
        arn    = aws_lb_target_group.slot["green"].arn
        weight = 0
      }
      stickiness {
        enabled  = false
        duration = 1
      }
    }
  }
  lifecycle {
    ignore_changes = [action]
  }
}

# A header-routed rule, so a canary can be probed before it takes any traffic.
resource "aws_lb_listener_rule" "preview" {
  listener_arn = aws_lb_listener.front_end.arn
  priority     = 10
  condition {
    http_header {
      http_header_name = local.preview_header.name
      values           = [local.preview_header.value]
    }
  }
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.slot["green"].arn
  }
  lifecycle {
    ignore_changes = [action]
  }
}

# --- task identity -----------------------------------------------------------
data "aws_iam_policy_document" "ecs_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.ecs_assume.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  assume_role_policy = data.aws_iam_policy_document.ecs_assume.json
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
}

# --- first revision only: the deployer registers every later one --------------
resource "aws_ecs_task_definition" "bootstrap" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  skip_destroy             = true
  track_latest             = false
  container_definitions    = jsonencode([merge(local.task_template, { image = var.bootstrap_image })])
  lifecycle {
    ignore_changes = [container_definitions, cpu, memory]
  }
}

resource "aws_ecs_service" "slot" {
  for_each                          = local.slots
  name                              = "${var.name}-${each.key}"
  cluster                           = var.cluster_arn
  task_definition                   = aws_ecs_task_definition.bootstrap.arn
  desired_count                     = 0
  launch_type                       = "FARGATE"
  health_check_grace_period_seconds = var.health_check_grace_period
  propagate_tags                    = "SERVICE"
  enable_ecs_managed_tags           = true
  wait_for_steady_state             = false

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [var.tasks_security_group_id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.slot[each.key].arn
    container_name   = var.container_name
    container_port   = var.container_port
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }

  depends_on = [aws_lb_listener_rule.production, aws_lb_listener_rule.preview]
}

# --- scaling -------------------------------------------------------------------
# Both slots are parked at 0 until a release arrives; the deployer moves the bounds with the traffic.
resource "aws_appautoscaling_target" "slot" {
  for_each           = local.slots
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster_name}/${aws_ecs_service.slot[each.key].name}"
  min_capacity       = 0
  max_capacity       = 0
  lifecycle {
    ignore_changes = [min_capacity, max_capacity, suspended_state]
  }
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each           = local.slots
  name               = "${var.name}-${each.key}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.slot[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.slot[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.slot[each.key].resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = var.cpu_target
    scale_in_cooldown  = 300
    scale_out_cooldown = 60
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

# The record itself is the deployer's: it points here only after a healthy release.
# --- name ----------------------------------------------------------------------
data "aws_route53_zone" "this" {
  count = var.zone_name == null ? 0 : 1
  name  = var.zone_name
}
