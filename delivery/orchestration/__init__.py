"""The room that knows Dagster: assets, checks, sensors, schedules, partitions, metadata."""
