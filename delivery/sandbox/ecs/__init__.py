"""Tasks as containers: what to start and stop (pure), and doing it with Docker."""
