"""EC2: what Terraform writes of the network is what it reads back."""

from __future__ import annotations

from moto.ec2.models.security_groups import SecurityGroupRule


def rule_descriptions() -> None:
    """A rule that names another security group has a description too; moto keeps it, but never shows it."""

    def description(self: SecurityGroupRule) -> str | None:
        return self.ip_range.get("Description") or self.source_group.get("Description")

    SecurityGroupRule.description = property(description)  # type: ignore[method-assign,assignment]
