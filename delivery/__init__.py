"""Progressive delivery for Amazon ECS as a Dagster asset graph."""
