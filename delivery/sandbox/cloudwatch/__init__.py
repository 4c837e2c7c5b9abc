"""Metrics counted from real requests, and alarms that evaluate them."""
