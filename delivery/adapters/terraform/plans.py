"""From `terraform show -json` to what people review: counts and addresses, never values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from delivery.core.infra import PlanSummary, ResourceChange

#: Resources whose loss loses data or an address people know.
STATEFUL = (
    "aws_s3_bucket", "aws_ecr_repository", "aws_db_instance", "aws_rds_cluster", "aws_dynamodb_table",
    "aws_efs_file_system", "aws_route53_zone", "aws_lb", "aws_kms_key", "aws_vpc", "aws_ecs_cluster",
)  # fmt: skip

_ACTIONS: dict[tuple[str, ...], str] = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
}


def summarise(shown: Mapping[str, Any], plan_id: str, stack: str, now: datetime, inputs: str) -> PlanSummary:
    """The summary of a saved plan."""
    state = shown.get("prior_state") or {}
    return PlanSummary(
        plan_id=plan_id,
        stack=stack,
        created_at=now,
        changes=tuple(_changes(shown.get("resource_changes") or ())),
        drift=tuple(_changes(shown.get("resource_drift") or ())),
        serial=int(state.get("serial") or 0),
        lineage=str(state.get("lineage") or ""),
        inputs=inputs,
    )


def _changes(entries: Iterable[Mapping[str, Any]]) -> Iterable[ResourceChange]:
    for entry in entries:
        change = entry["change"]
        action = _ACTIONS.get(tuple(change["actions"]))
        if action is None or entry.get("mode") == "data":
            continue
        before, after = change.get("before") or {}, change.get("after") or {}
        unknown = change.get("after_unknown") or {}
        names = sorted(
            k for k in {*before, *after, *unknown} if before.get(k) != after.get(k) or unknown.get(k)
        )
        yield ResourceChange(
            address=entry["address"],
            action=action,
            attributes=tuple(names) if action == "update" else (),
            stateful=entry["type"] in STATEFUL,
            reason=str(entry.get("action_reason") or ""),
        )
