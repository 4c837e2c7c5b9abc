"""The pure parts of the ECS adapter."""
