"""The names under which nodes leave what they hand over, and the keys of Terraform's states."""

from __future__ import annotations


def of_commit(service: str, sha: str, node: str) -> str:
    """`<service>/<sha>/<node>.json`: what belongs to a commit, wherever it is deployed."""
    return f"{service}/{sha}/{node}.json"


def of_environment(service: str, sha: str, environment: str, node: str) -> str:
    """`<service>/<sha>/<environment>/<node>.json`: what belongs to a commit in one environment."""
    return f"{service}/{sha}/{environment}/{node}.json"


def plan_file(service: str, sha: str, environment: str) -> str:
    """The saved plan itself. It holds values that may be secret."""
    return f"{service}/{sha}/{environment}/plan.tfplan"


def state_key(service: str, environment: str) -> str:
    """Terraform's state of one environment of a service."""
    return f"terraform/{service}/{environment}.tfstate"


def registry_key(service: str) -> str:
    """Terraform's state of a service's image registry."""
    return f"terraform/{service}/registry.tfstate"
