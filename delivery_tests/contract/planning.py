"""A stack that a `Planner` can plan: in memory, or one topic on the sandbox under the real Terraform."""

from __future__ import annotations

import itertools
import json
import uuid
from pathlib import Path
from typing import Any, Protocol

from delivery.adapters.terraform import Terraform
from delivery.core.infra import PlanSummary, ResourceChange
from delivery.core.service import TerraformSpec
from delivery.ports import Planner
from delivery_tests.conftest import RunningSandbox
from delivery_tests.fakes.clock import VirtualClock
from delivery_tests.fakes.outside import FakePlanner
from delivery_tests.fakes.wire import Wire

_COMMON = """
variable "display" { type = string }
variable "name" { type = string }
variable "secret" {
  type      = string
  default   = "hunter2"
  sensitive = true
}
terraform {
  backend "s3" { use_lockfile = true }
}
"""
#: Terraform's own resource needs no provider, which would take four seconds of processor a command.
_DATA = """
resource "terraform_data" "this" { input = "${var.name} ${var.display} ${var.secret}" }
output "arn" { value = var.name }
"""
#: A resource that somebody else can change.
_TOPIC = """
resource "aws_sns_topic" "this" {
  name         = var.name
  display_name = var.display
}
output "arn" { value = aws_sns_topic.this.arn }
provider "aws" {}
"""


def quiet(line: str) -> None:
    """Progress that nobody listens to."""


class Stack(Protocol):
    """One stack under one state key, and what the world around it may do."""

    planner: Planner
    spec: TerraformSpec
    key: str
    address: str

    @property
    def variables(self) -> dict[str, Any]:
        """What its next plan is given."""

    def change(self) -> None:
        """Somebody edits the stack: the next plan has one update."""

    def drift(self) -> None:
        """Somebody changes the resource behind Terraform's back."""


def applied(stack: Stack) -> PlanSummary:
    """Plan and apply what is wanted now; the plan."""
    plan, file = stack.planner.plan(stack.spec, stack.key, stack.variables, quiet)
    if not plan.empty:
        stack.planner.apply(stack.spec, stack.key, plan, file, quiet)
    return plan


class FakeStack:
    """On the fake planner."""

    address = "aws_sns_topic.this"

    def __init__(self) -> None:
        self.planner = FakePlanner(Wire(), VirtualClock())
        self.spec = TerraformSpec("stack")
        self.key = "terraform/web/staging.tfstate"
        self._numbers = itertools.count()

    @property
    def variables(self) -> dict[str, Any]:
        """None are needed."""
        return {}

    def change(self) -> None:
        """An update of the one resource."""
        self.planner.change(self.key, ResourceChange(self.address, "update", ("display_name",)))

    def drift(self) -> None:
        """Drift shows as a change and as drift."""
        change = ResourceChange(self.address, "update", ("display_name",))
        self.planner.change(self.key, change)
        self.planner.drifted[self.key] = (change,)


class RealStack:
    """One resource under the real Terraform, its state in the sandbox's S3; a topic if it shall drift."""

    def __init__(self, sandbox: RunningSandbox, folder: Path, topic: bool = False) -> None:
        self.sandbox, self.name = sandbox, f"t{uuid.uuid4().hex[:10]}"
        sandbox.client("s3").create_bucket(Bucket=self.name)
        (folder / "stack").mkdir()
        (folder / "stack" / "main.tf").write_text(_COMMON + (_TOPIC if topic else _DATA))
        self.address = "aws_sns_topic.this" if topic else "terraform_data.this"
        (folder / "backend.hcl").write_text(f'bucket = "{self.name}"\nregion = "us-east-1"\n')
        self.planner = Terraform(folder, folder / "work", sandbox.environment, lock_timeout=1)
        self.spec = TerraformSpec("stack", backend="backend.hcl")
        self.key = f"terraform/{self.name}.tfstate"
        self._display = 0

    @property
    def variables(self) -> dict[str, Any]:
        """The second is of another stack, and is not given to this one."""
        return {"display": f"display {self._display}", "name": self.name, "of_another_stack": 1}

    def change(self) -> None:
        """Another display name."""
        self._display += 1

    def drift(self) -> None:
        """Another display name, by boto3."""
        sns = self.sandbox.client("sns")
        arn = next(t["TopicArn"] for t in sns.list_topics()["Topics"] if t["TopicArn"].endswith(self.name))
        sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="by hand")

    def lock(self) -> None:
        """Somebody else's `terraform apply` holds the state."""
        info = {
            "ID": "0b1c2d3e-0000-4000-8000-000000000000", "Operation": "OperationTypeApply", "Info": "",
            "Who": "ada@laptop", "Version": "1.11.4", "Created": "2026-11-24T05:00:00Z",
            "Path": f"{self.name}/{self.key}",
        }  # fmt: skip
        s3 = self.sandbox.client("s3")
        s3.put_object(Bucket=self.name, Key=f"{self.key}.tflock", Body=json.dumps(info).encode())

    def unlock(self) -> None:
        """It let go."""
        self.sandbox.client("s3").delete_object(Bucket=self.name, Key=f"{self.key}.tflock")
