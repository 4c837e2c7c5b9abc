"""The outside world behind the ports: AWS, GitHub, Docker, Terraform, notifications."""
