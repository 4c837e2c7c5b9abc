"""What moto lacks or gets wrong, put right one function at a time; each says why."""

from delivery.sandbox.patches import (
    autoscaling,
    clock,
    cloudwatch,
    cloudwatch_alarms,
    ec2,
    ecs,
    ecs_services,
    ecs_tasks,
    elbv2,
    iam,
    kms,
    logs,
    route53,
    s3,
    sqs,
    sts,
)

__all__ = [
    "autoscaling",
    "clock",
    "cloudwatch",
    "cloudwatch_alarms",
    "ec2",
    "ecs",
    "ecs_services",
    "ecs_tasks",
    "elbv2",
    "iam",
    "kms",
    "logs",
    "route53",
    "s3",
    "sqs",
    "sts",
]
