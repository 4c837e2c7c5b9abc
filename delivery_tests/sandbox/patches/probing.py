"""What a probe is, and where it is kept."""

from __future__ import annotations

import importlib
import pkgutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from delivery_tests.sandbox import patches


@dataclass(frozen=True)
class Caller:
    """Makes plain boto3 clients of one endpoint. `name` is a name nobody else has."""

    endpoint: str
    name: str = field(default_factory=lambda: f"p{uuid.uuid4().hex[:10]}")

    def client(self, service: str) -> Any:
        """A boto3 client that does not try again: a refusal is what is looked for."""
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )  # fmt: skip

    def network(self) -> tuple[str, list[str]]:
        """A VPC with two subnets in different zones: its id and theirs."""
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        zones = ("us-east-1a", "us-east-1b")
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{n}.0/24", AvailabilityZone=z)["Subnet"]["SubnetId"]
            for n, z in enumerate(zones)
        ]
        return vpc, subnets


@dataclass(frozen=True)
class Probe:
    """One patch's behaviour; `not_bare` says why bare moto cannot be asked, when it cannot."""

    patch: str
    run: Callable[[Caller], None]
    not_bare: str = ""


_PROBES: list[Probe] = []


def probe(patch: str, not_bare: str = "") -> Callable[[Callable[[Caller], None]], Callable[[Caller], None]]:
    """Make a probe of a function."""

    def register(function: Callable[[Caller], None]) -> Callable[[Caller], None]:
        _PROBES.append(Probe(patch, function, not_bare))
        return function

    return register


@cache
def probes() -> tuple[Probe, ...]:
    """All of them, from every module beside this one."""
    for module in pkgutil.iter_modules(patches.__path__):
        if not module.name.startswith("test_"):
            importlib.import_module(f"{patches.__name__}.{module.name}")
    return tuple(_PROBES)
