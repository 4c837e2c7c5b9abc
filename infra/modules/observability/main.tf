# A key of our own: AWS's `alias/aws/sns` lets nobody but the account use it, and CloudWatch's alarms would be
# dropped without a word. Source: "Encrypting messages published to Amazon SNS", CloudWatch user guide.
data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "topic_key" {
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
  statement {
    sid       = "Alarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "topic" {
  description             = "Messages of ${var.name}'s topic (delivery)"
  policy                  = data.aws_iam_policy_document.topic_key.json
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

resource "aws_sns_topic" "deployments" {
  name              = "${var.name}-deployments"
  kms_master_key_id = aws_kms_key.topic.arn
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = toset(var.notify_emails)
  topic_arn = aws_sns_topic.deployments.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_metric_alarm" "response_time" {
  for_each            = var.target_group_suffixes
  alarm_name          = "${var.name}-${each.key}-response-time"
  alarm_description   = "Mean target response time above 5 s for ${5 * var.alarm_period} s"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = { LoadBalancer = var.load_balancer_suffix, TargetGroup = each.value }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  period              = var.alarm_period
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.deployments.arn]
  ok_actions          = [aws_sns_topic.deployments.arn]
}

resource "aws_cloudwatch_metric_alarm" "target_5xx" {
  for_each            = var.target_group_suffixes
  alarm_name          = "${var.name}-${each.key}-target-5xx"
  alarm_description   = "More than 10 target 5XX responses in ${var.alarm_period} s"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  dimensions          = { LoadBalancer = var.load_balancer_suffix, TargetGroup = each.value }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 10
  period              = var.alarm_period
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.deployments.arn]
  ok_actions          = [aws_sns_topic.deployments.arn]
}

# A parked slot has no targets, so the metric is absent: that is not an alarm. A slot that serves reports
# it every minute, and 0 of its targets healthy is.
resource "aws_cloudwatch_metric_alarm" "healthy_hosts" {
  for_each            = var.target_group_suffixes
  alarm_name          = "${var.name}-${each.key}-healthy-hosts"
  alarm_description   = "Fewer than 1 healthy host for ${2 * var.alarm_period} s"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HealthyHostCount"
  dimensions          = { LoadBalancer = var.load_balancer_suffix, TargetGroup = each.value }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = var.alarm_period
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.deployments.arn]
  ok_actions          = [aws_sns_topic.deployments.arn]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      {
        type = "metric", x = 0, y = 0, width = 12, height = 6
        properties = {
          title = "ECS CPU and memory", region = var.region, period = 60, stat = "Average"
          metrics = concat([for k, s in var.service_names : [
            ["AWS/ECS", "CPUUtilization", "ClusterName", var.cluster_name, "ServiceName", s],
            ["AWS/ECS", "MemoryUtilization", "ClusterName", var.cluster_name, "ServiceName", s],
          ]]...)
        }
      },
      {
        type = "metric", x = 12, y = 0, width = 12, height = 6
        properties = {
          title = "ALB latency and requests", region = var.region, period = 60
          metrics = [
            ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.load_balancer_suffix, { stat = "Average" }],
            ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", var.load_balancer_suffix, { stat = "Sum", yAxis = "right" }],
          ]
        }
      },
    ]
  })
}
