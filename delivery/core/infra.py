"""What Terraform tells and what the deployer needs of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One change of a plan: addresses and attribute names, never values."""

    address: str
    action: str  # create | update | delete | replace | forget
    attributes: tuple[str, ...] = ()
    stateful: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A saved plan as people review it. `plan_id` is the sha256 of the plan file.

    `serial` and `lineage` name the state it was made from; `inputs` is the fingerprint of the
    Terraform sources and variables. A plan with another one of the three is stale.
    """

    plan_id: str
    stack: str
    created_at: datetime
    changes: tuple[ResourceChange, ...] = ()
    drift: tuple[ResourceChange, ...] = ()
    serial: int = 0
    lineage: str = ""
    inputs: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Changes per action."""
        out: dict[str, int] = {}
        for change in self.changes:
            out[change.action] = out.get(change.action, 0) + 1
        return out

    @property
    def empty(self) -> bool:
        """Nothing to apply."""
        return not self.changes

    def sentence(self) -> str:
        """`2 to create, 1 to update` or `No changes`."""
        if self.empty:
            return "No changes"
        return ", ".join(f"{n} to {action}" for action, n in sorted(self.counts.items()))


@dataclass(frozen=True, slots=True)
class DeployContract:
    """What one environment's infrastructure offers the deployer (Terraform output `deploy_contract`)."""

    service: str
    environment: str
    region: str
    cluster: str
    task_family: str
    container_name: str
    container_port: int
    listener_arn: str
    production_rule_arn: str
    preview_rule_arn: str
    services: Mapping[str, str]
    target_groups: Mapping[str, str]
    target_group_suffixes: Mapping[str, str]
    load_balancer_suffix: str
    load_balancer_dns: str
    load_balancer_zone: str
    min_capacity: int
    max_capacity: int
    cpu: int
    memory: int
    execution_role_arn: str
    task_role_arn: str
    log_group: str
    repository_url: str
    topic_arn: str
    alarm_names: Mapping[str, tuple[str, ...]]
    task_template: Mapping[str, Any]
    preview_header_name: str = "X-Delivery-Preview"
    preview_header_value: str = "candidate"
    hosted_zone_id: str | None = None
    record_name: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    subnets: tuple[str, ...] = ()  # where one-off tasks run; empty in contracts from before they existed
    security_groups: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        """Fingerprint of everything Terraform reviewed that goes into a task definition."""
        reviewed = [
            self.task_family,
            self.cpu,
            self.memory,
            self.execution_role_arn,
            self.task_role_arn,
            self.task_template,
        ]
        return hashlib.sha256(json.dumps(reviewed, sort_keys=True, default=dict).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """An environment's infrastructure after its plan: what it offers, and whether anything was applied.

    `plan_id` is the plan that was applied or had nothing to apply; the same one is not applied twice.
    """

    contract: DeployContract
    applied: bool
    sentence: str
    plan_id: str = ""
