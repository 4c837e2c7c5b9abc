"""Application Auto Scaling: the desired count of ECS services follows a metric, within bounds."""
