"""What moto lacks or gets wrong, put right one function at a time; each says why."""

from delivery.sandbox.patches import autoscaling, cloudwatch, ec2, ecs, elbv2, kms

__all__ = ["autoscaling", "cloudwatch", "ec2", "ecs", "elbv2", "kms"]
