"""What moto lacks or gets wrong, put right one function at a time; each says why."""

from delivery.sandbox.patches import autoscaling, cloudwatch, ecs, elbv2

__all__ = ["autoscaling", "cloudwatch", "ecs", "elbv2"]
