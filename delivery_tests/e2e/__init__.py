"""The whole system: the sandbox, real Terraform, the real Dagster daemon and webserver, real traffic."""
