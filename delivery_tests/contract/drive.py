"""A whole rollout with the real flows and the real adapters on the sandbox, behind a line that can break.

See `delivery_tests.contract.world` for what is real.
"""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from botocore import xform_name

from delivery import adapters
from delivery.core.build import PushedImage
from delivery.core.ledger import LedgerRecord, Outcome
from delivery.core.release import Release, Slot
from delivery.core.rollout import Limits, Rollout
from delivery.core.service import EnvironmentSpec, ProbeSpec, ServiceSpec
from delivery.core.strategy import Canary, RunTask
from delivery.core.target import OneOff
from delivery.flows.build import image, quality, source
from delivery.flows.deploy import deploy
from delivery.flows.deployable import REVISION, release_for
from delivery.flows.health import judge
from delivery.flows.operation import Operation, contract_of
from delivery.flows.report import live
from delivery.ports import Target
from delivery.sandbox.chaos.services import operations
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.faulty import FaultyLine
from delivery_tests.contract.programs import Images
from delivery_tests.contract.stage import Stage
from delivery_tests.contract.world import SandboxWorld
from delivery_tests.fakes import sample_environment, sample_service, with_environment

#: A quick canary with everything in it. The patience is long: the tasks start in real time.
LIMITS = Limits(
    launch_timeout=1800, shift_timeout=600, inconclusive_timeout=1200, error_budget=3, failed_tasks=3, tick=1
)
MIGRATION = RunTask(("python", "-c", "print('migrated', flush=True)"))
NAME = "production"
PATIENCE = 60.0  # seconds until a condition that does not come true is a failure
#: Where the drive loop's adapters are: what they call is read from the code, too.
ADAPTERS = Path(adapters.__file__).parent
CODE = (
    *sorted((ADAPTERS / "ecs").glob("*.py")),
    *sorted((ADAPTERS / "aws" / "shared").glob("*.py")),
    *(ADAPTERS / "aws" / f"{name}.py" for name in ("ledger", "bucket", "metrics", "alarms")),
)
SERVICES = ("ecs", "elbv2", "application-autoscaling", "cloudwatch", "logs", "s3")


def quick_environment() -> EnvironmentSpec:
    """Production by canary 50/100, with a task before the switch and preview requests."""
    canary = sample_environment(NAME, Canary((50, 100), analyze_for=30, bake=20))
    rules = tuple(replace(r, threshold=900.0) if r.name == "response_time" else r for r in canary.rules)
    probe = ProbeSpec("/", 2, 30.0)
    return replace(canary, limits=LIMITS, rules=rules, before=MIGRATION, probe=probe, after=None)


@dataclass
class Drive:
    """One service in the sandbox, and the line to it. `said` is every line of progress."""

    stage: Stage
    images: Images
    world: SandboxWorld
    service: ServiceSpec
    line: FaultyLine
    said: list[str] = field(default_factory=list)
    runs: int = 0
    _moments: dict[str, Callable[[], object]] = field(default_factory=dict)

    @classmethod
    def on(cls, sandbox: RunningSandbox, images: Images, line: FaultyLine, name: str) -> Drive:
        """A stage of its own, its deploy contract in the ledger."""
        stage = Stage(sandbox.client, name)
        _be_patient(stage)
        service = with_environment(sample_service(), quick_environment())
        service = replace(service, environments=(service.environment(NAME),))
        world = SandboxWorld(sandbox, service, line)
        alarms = {slot: (_alarm(stage, slot),) for slot in ("blue", "green")}
        contract = replace(stage.contract, service=service.name, environment=NAME, alarm_names=alarms)
        world.ledger.store(LedgerRecord(service.name, NAME, contract=contract), None)
        return cls(stage, images, world, service, line)

    @property
    def record(self) -> LedgerRecord:
        """The ledger now."""
        return self.world.ledger.load(self.service.name, NAME).record

    @property
    def rollout(self) -> Rollout:
        """The rollout in the ledger."""
        found = self.record.rollout
        assert found is not None
        return found

    def op(self) -> Operation:
        """Each is another run."""
        self.runs += 1
        who = f"run {self.runs:08x}"
        return Operation(self.world, self.service, who, self._say, run_id=who)

    def when(self, words: str, happens: Callable[[], object]) -> None:
        """Once, when a line of progress has these words."""
        self._moments[words] = happens

    def release(self, sha: str) -> Release:
        """The release of a commit that was pushed."""
        return release_for(self.op(), self.record, sha)[0]

    def target(self) -> Target:
        """The target, as the next run makes it."""
        return self.world.environment(contract_of(self.record), {}).target

    def scale(self, slot: Slot, count: int) -> None:
        """Autoscaling (or a person) changes the number of tasks."""
        self.stage.ecs.update_service(
            cluster=self.stage.name, service=self.stage.contract.services[slot], desiredCount=count
        )

    def task(self, token: str) -> OneOff:
        """The one-off task of that token, which was asked for."""
        found = self.target().observe(token).task
        assert found is not None
        return found

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; an AssertionError if it does not come true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"not seen within {PATIENCE:g} s"
            time.sleep(0.1)

    def push(self, name: str) -> str:
        """A commit whose image is in the registry, signed; its sha. The line forgets what that took."""
        sha = self.world.source.push(name).sha
        pushed = PushedImage(self.images.by_behaviour["serves"], sha, self.world.clock.now(), {REVISION: sha})
        self.world.fake.registry.seed(pushed)
        op = self.op()
        source(op, sha)
        quality(op, sha)
        image(op, sha)
        self.line.attempts.clear()
        return sha

    def deploy(self, sha: str) -> Rollout:
        """One run of the asset `deployment`."""
        return deploy(self.op(), NAME, sha)

    def finish(self, sha: str) -> None:
        """Its health, and the release on record as verified."""
        op = self.op()
        judge(op, NAME, sha)
        live(op, NAME, sha)

    def condemned(self) -> list[str]:
        """What anybody has against any release."""
        record = self.record
        failed = [r.release.id for r in record.releases if r.outcome is Outcome.FAILED]
        held = [record.hold.reason] if record.hold else []
        return [*failed, *(q.digest for q in record.quarantine), *held]

    def effects(self, release_id: str) -> dict[str, int]:
        """How often a thing that must happen once did: as AWS shows it, and as the wire saw it done."""
        revisions = [
            arn
            for arn in self.stage.revisions()
            if {"key": "delivery:release", "value": release_id} in self._tags(arn)
        ]
        asked = self.answers("ecs.RunTask")
        tokens = {task["startedBy"] for answer in asked for task in answer["tasks"]}
        ones = {
            arn
            for token in tokens
            for status in ("RUNNING", "STOPPED")
            for arn in self.stage.ecs.list_tasks(
                cluster=self.stage.name, startedBy=token, desiredStatus=status
            )["taskArns"]
        }
        launched = {d for arn, d in self._deployments() if arn in revisions}
        return {"revisions": len(revisions), "tasks": len(ones), "deployments": len(launched)}

    def answers(self, operation: str) -> list[dict[str, Any]]:
        """What every attempt that took effect was answered, heard or not."""
        return [json.loads(a.answer) for a in self.line.attempts if a.operation == operation and a.done]

    def weights(self) -> list[int]:
        """The candidate's shares as the production rule was given them, repetitions left out."""
        group = self.stage.groups[self.rollout.candidate]
        found: list[int] = []
        for attempt in self.line.attempts:
            rule = self.stage.contract.production_rule_arn
            if (
                attempt.operation != "elbv2.ModifyRule"
                or not attempt.done
                or rule.encode() not in attempt.answer
            ):
                continue
            weight = _weight(attempt.answer.decode(), group)
            if found[-1:] != [weight]:
                found.append(weight)
        return found

    def _say(self, line: str) -> None:
        self.said.append(line)
        for words in [w for w in self._moments if w in line]:
            self._moments.pop(words)()

    def _tags(self, arn: str) -> list[dict[str, str]]:
        told: list[dict[str, str]] = self.stage.ecs.describe_task_definition(
            taskDefinition=arn, include=["TAGS"]
        )["tags"]
        return told

    def _deployments(self) -> set[tuple[str, str]]:
        """Revision and id of every deployment that an UpdateService began or found begun."""
        answers = (answer["service"] for answer in self.answers("ecs.UpdateService"))
        return {
            (d["taskDefinition"], d["id"])
            for service in answers
            for d in service["deployments"]
            if d["status"] == "PRIMARY" and d["desiredCount"] > 0
        }


def _be_patient(stage: Stage) -> None:
    """Tasks start and answer in real time, and a busy machine is no unhealthy one."""
    for name in stage.contract.services.values():
        stage.ecs.update_service(cluster=stage.name, service=name, healthCheckGracePeriodSeconds=600)
    for group in stage.groups.values():
        stage.elb.modify_target_group(
            TargetGroupArn=group, HealthCheckIntervalSeconds=20, HealthCheckTimeoutSeconds=19,
            HealthyThresholdCount=2, UnhealthyThresholdCount=10,
        )  # fmt: skip


def _alarm(stage: Stage, slot: str) -> str:
    """An alarm that has nothing to say."""
    name = f"{stage.name}-{slot}-quiet"
    stage.client("cloudwatch").put_metric_alarm(
        AlarmName=name, Namespace="Stage", MetricName=name, Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )  # fmt: skip
    return name


def _weight(answer: str, group: str) -> int:
    """A target group's weight in ModifyRule's answer, whatever the order of the fields."""
    for member in re.findall(r"<member>((?:(?!<member>).)*?)</member>", answer, re.DOTALL):
        weight = re.search(r"<Weight>(\d+)</Weight>", member)
        if f"<TargetGroupArn>{group}</TargetGroupArn>" in member and weight:
            return int(weight[1])
    raise AssertionError(f"no weight of {group} in {answer}")


def called_in_the_code() -> set[str]:
    """Every AWS operation whose method, or whose paginator, the drive loop's adapters name."""
    methods = {xform_name(name): f"{service}.{name}" for service in SERVICES for name in operations(service)}
    named: set[str] = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                named.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
    return {methods[name] for name in named if name in methods}
