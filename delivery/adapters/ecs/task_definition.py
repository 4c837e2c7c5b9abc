"""A release as a revision of the service's task definition: found by its tag, else registered.

Revisions are immutable, so each is described once. The tags `delivery:release`, `delivery:commit` and
`delivery:service` say what a revision is; a revision without them is not ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.core.infra import DeployContract
from delivery.core.release import Release
from delivery.errors import UnavailableError

RELEASE_TAG, COMMIT_TAG, SERVICE_TAG = "delivery:release", "delivery:commit", "delivery:service"
#: How many of the newest revisions are looked at. An older one is registered anew: same content, same tag.
LOOK_BACK = 20
#: How often a registration is tried whose answer was lost; in between we look whether it arrived.
TRIES = 3


class Revisions:
    """The revisions of one task definition family."""

    def __init__(self, aws: Aws, contract: DeployContract, variables: Mapping[str, str]) -> None:
        self._aws, self._contract, self._variables = aws, contract, dict(variables)
        self._known: dict[str, dict[str, Any]] = {}

    def describe(self, arn: str) -> dict[str, Any]:
        """The revision with its tags, as `{"taskDefinition": …, "tags": […]}`."""
        if arn not in self._known:
            with translated(f"The task definition {_name(arn)} could not be read"):
                found = self._aws.client("ecs").describe_task_definition(taskDefinition=arn, include=["TAGS"])
            self._known[arn] = {"taskDefinition": found["taskDefinition"], "tags": found.get("tags") or []}
        return self._known[arn]

    def release_of(self, arn: str) -> str | None:
        """The id of the release this revision is; None when it is not one of ours."""
        return tags_of(self.describe(arn)).get(RELEASE_TAG)

    def ensure(self, release: Release) -> str:
        """The ARN of the release's revision, registered if there is none yet."""
        for attempt in range(1, TRIES + 1):
            found = self._find(release.id)
            if found:
                return found
            try:
                return self._register(release)
            except UnavailableError:
                # The answer may be lost and the revision made: look before trying again.
                if attempt == TRIES:
                    raise
        raise AssertionError("unreachable")

    def _find(self, release_id: str) -> str | None:
        return next((arn for arn in self._newest() if self.release_of(arn) == release_id), None)

    def _newest(self) -> list[str]:
        family = self._contract.task_family
        with translated(f"The revisions of the task definition {family} could not be listed"):
            answer = self._aws.client("ecs").list_task_definitions(
                familyPrefix=family, status="ACTIVE", sort="DESC", maxResults=LOOK_BACK
            )
        return sorted(answer["taskDefinitionArns"], key=_revision, reverse=True)[:LOOK_BACK]

    def _register(self, release: Release) -> str:
        """One attempt only: RegisterTaskDefinition has no client token, and botocore's retry after a lost
        answer would make a second revision."""
        with translated(f"The task definition of release {release.id} could not be registered"):
            answer = self._aws.client("ecs", attempts=1).register_task_definition(
                **registration(self._contract, release, self._variables)
            )
        return str(answer["taskDefinition"]["taskDefinitionArn"])


def registration(contract: DeployContract, release: Release, variables: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of RegisterTaskDefinition: what Terraform reviewed, plus image, variables and names."""
    return {
        "family": contract.task_family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": str(contract.cpu),
        "memory": str(contract.memory),
        "executionRoleArn": contract.execution_role_arn,
        "taskRoleArn": contract.task_role_arn,
        "containerDefinitions": [container(contract, release, variables)],
        "tags": [
            {"key": RELEASE_TAG, "value": release.id},
            {"key": COMMIT_TAG, "value": release.commit},
            {"key": SERVICE_TAG, "value": release.service},
        ],
    }


def container(contract: DeployContract, release: Release, variables: Mapping[str, str]) -> dict[str, Any]:
    """The container definition. Our own two variables come last: nobody may give a release another name."""
    template: dict[str, Any] = json.loads(json.dumps(contract.task_template, default=dict))
    ours = {"DELIVERY_RELEASE": release.id, "DELIVERY_COMMIT": release.commit}
    given = {entry["name"]: entry["value"] for entry in template.get("environment") or ()}
    environment = {**given, **variables, **ours}
    labels = {**(template.get("dockerLabels") or {}), "delivery.release": release.id}
    return {
        **template,
        "image": release.image.reference,
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
        "dockerLabels": labels,
    }


def tags_of(described: Mapping[str, Any]) -> dict[str, str]:
    """ECS's list of tags as a mapping."""
    return {tag["key"]: tag["value"] for tag in described["tags"]}


def log_stream(described: Mapping[str, Any], container_name: str, task_id: str) -> tuple[str, str] | None:
    """Log group and stream of a task's container under the awslogs driver; None with another driver.

    Source: "Send Amazon ECS logs to CloudWatch": the stream is `prefix/container/task-id`.
    """
    containers = described["taskDefinition"]["containerDefinitions"]
    found = next((c for c in containers if c["name"] == container_name), None)
    logging = (found or {}).get("logConfiguration") or {}
    options = logging.get("options") or {}
    group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
    if logging.get("logDriver") != "awslogs" or not group or not prefix:
        return None
    return group, f"{prefix}/{container_name}/{task_id}"


def _name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def _revision(arn: str) -> int:
    return int(arn.rsplit(":", 1)[-1])
