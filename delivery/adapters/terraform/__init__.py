"""Terraform as the `Planner` port: a saved plan, and exactly that plan applied."""

from delivery.adapters.terraform.planner import Terraform

__all__ = ["Terraform"]
