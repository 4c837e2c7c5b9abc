"""Runs `serial.sh`, the plain script, on the stage's sandbox."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from delivery.adapters.terraform.command import plugin_arguments
from delivery.cli.demo.setting import SERVICE, Venue
from delivery.cli.demo.story import STAGING, Stage
from delivery_tests.bench.theatre import ROOT

SCRIPT = Path(__file__).parent / "serial.sh"


def seconds(venue: Venue, stage: Stage) -> float:
    """From the push that is there to ECS's "stable", in the slot of staging that has the traffic."""
    contract = stage.watcher.record(STAGING).contract
    assert contract is not None
    files = ROOT / "infra" / "environments" / STAGING
    slot = next(name for name, arn in contract.services.items() if _running(venue, contract.cluster, arn))
    environment = {
        **venue.environment,
        "REPO_URL": f"{venue.sandbox.endpoints.github}/demo/{SERVICE}.git",
        "GATES_IMAGE": "delivery/gates:local",
        "REGISTRY": venue.sandbox.endpoints.registry,
        "REPOSITORY": SERVICE,
        "STACK_DIR": str(ROOT / "infra" / "stacks" / "service"),
        "BACKEND": str(files / "backend.hcl"),
        "VAR_FILE": str(files / "service.tfvars"),
        "STATE_KEY": f"terraform/{SERVICE}/{STAGING}.tfstate",
        "PLUGIN_ARGS": " ".join(plugin_arguments(venue.environment)),
        "SERVICE": SERVICE,
        "ENVIRONMENT": STAGING,
        "CLUSTER": contract.cluster,
        "ECS_SERVICE": contract.services[slot],
    }
    with tempfile.TemporaryDirectory() as work:
        environment |= {"WORK": work, "TF_DATA_DIR": f"{work}/terraform"}
        begun = time.monotonic()
        done = subprocess.run([str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)
        took = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"the serial script failed: {done.stderr.strip()[-600:]}")
    return took


def _running(venue: Venue, cluster: str, service: str) -> bool:
    command = ["aws", "ecs", "describe-services", "--cluster", cluster, "--services", service]
    query = ["--query", "services[0].runningCount", "--output", "text"]
    done = subprocess.run(
        [*command, *query], env=venue.environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip() not in ("0", "None")
