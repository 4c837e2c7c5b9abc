"""The project's own infrastructure, applied once on the sandbox by the product's own Planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from delivery.adapters.terraform import Terraform
from delivery.core.infra import DeployContract, PlanSummary
from delivery.core.service import TerraformSpec
from delivery_tests.conftest import RunningSandbox

ROOT = Path(__file__).parents[2]
SHARED = "infra/environments/shared/backend.hcl"
STAGING = TerraformSpec(
    "infra/stacks/service", ("infra/environments/staging/service.tfvars",),
    "infra/environments/staging/backend.hcl",
)  # fmt: skip
REGISTRY = TerraformSpec("infra/stacks/registry", backend=SHARED)
BOOTSTRAP = TerraformSpec("infra/stacks/bootstrap")


def quiet(line: str) -> None:
    """Progress that nobody listens to."""


@dataclass
class Project:
    """The stacks of a service `shop`; `first` is the plan with which each was made."""

    sandbox: RunningSandbox
    planner: Terraform
    first: dict[str, PlanSummary]

    def apply(self, spec: TerraformSpec, key: str, variables: Mapping[str, Any]) -> PlanSummary:
        """Plan and apply; the plan."""
        plan, file = self.planner.plan(spec, key, variables, quiet)
        self.planner.apply(spec, key, plan, file, quiet)
        self.first[spec.stack] = plan
        return plan

    def look(self) -> PlanSummary:
        """What a plan of staging would change now."""
        return self.planner.drift(STAGING, "terraform/shop/staging.tfstate", SERVICE, quiet)

    @cached_property
    def contract(self) -> DeployContract:
        """What staging tells the deployer."""
        return self.planner.contract(STAGING, "terraform/shop/staging.tfstate")


SERVICE = {"service": "shop", "environment": "staging"}


@pytest.fixture(scope="session")
def project(sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Bucket and key, registry, and staging with its slots; the provider alone waits for a minute of it."""
    work = tmp_path_factory.mktemp("terraform")
    made = Project(sandbox, Terraform(ROOT, work, sandbox.environment), {})
    bucket = f"delivery-state-{sandbox.config.account}"
    given = {"state_bucket": bucket, "tls_only": False, "noncurrent_days": 0, "force_destroy": True}
    made.apply(BOOTSTRAP, "bootstrap", given)
    sandbox.client("route53").create_hosted_zone(Name="example.test", CallerReference="tests")
    made.apply(REGISTRY, "terraform/shop/registry.tfstate", {"service": "shop"})
    made.apply(STAGING, "terraform/shop/staging.tfstate", SERVICE)
    return made
