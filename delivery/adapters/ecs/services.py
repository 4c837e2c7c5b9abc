"""The two ECS services behind the slots: described together, updated one at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.core.infra import DeployContract
from delivery.core.release import Slot
from delivery.errors import NotFoundError

Service = dict[str, Any]
Deployment = dict[str, Any]

#: How ECS says in `rolloutStateReason` that a deployment is a way back, by circuit breaker or alarm.
_BACK = re.compile(r"roll(ing|ed) back", re.IGNORECASE)
#: … and in the service's events, of the deployment that it gave up and of the one that it returns to.
_GAVE_UP = re.compile(r"\(deployment (\S+)\) deployment failed: (.+)")
_RETURNS = re.compile(r"rolling back to deployment ")
#: ECS's way back begins with the event that tells of it; what we launch later begins many seconds later.
_SAME_MOMENT = timedelta(seconds=5)


class Services:
    """Reads and updates the services of one environment."""

    def __init__(self, aws: Aws, contract: DeployContract) -> None:
        self._aws, self._contract = aws, contract

    def describe(self) -> dict[Slot, Service]:
        """Both services in one call; NotFoundError when one is missing or deleted."""
        names = {slot: self._contract.services[slot] for slot in Slot}
        what = f"The ECS services of {self._contract.service} could not be read"
        with translated(what):
            answer = self._aws.client("ecs").describe_services(
                cluster=self._contract.cluster, services=list(names.values())
            )
        found = {s["serviceName"]: s for s in answer["services"] if s.get("status") != "INACTIVE"}
        missing = [name for name in names.values() if name not in found]
        if missing:
            why = f"{missing[0]} does not exist in cluster {self._contract.cluster}"
            raise NotFoundError(what, why, "Rerun the asset `infrastructure`.")
        return {slot: found[name] for slot, name in names.items()}

    def update(self, slot: Slot, change: Mapping[str, Any]) -> None:
        """Ask for another revision or count; what is not named stays as it is."""
        name = self._contract.services[slot]
        with translated(f"The ECS service {name} could not be updated"):
            self._aws.client("ecs").update_service(cluster=self._contract.cluster, service=name, **change)


def launch_change(service: Service, revision: str, count: int) -> dict[str, Any]:
    """What UpdateService must change so that `revision` runs with at least `count` tasks; empty: nothing.

    The count is only ever raised: autoscaling owns it. Starting from nothing, and starting again what the
    circuit breaker gave up, is a new deployment: with a fresh count of failures, and ECS starts no tasks
    for one it gave up.
    """
    present, same = primary(service), service["taskDefinition"] == revision
    change: dict[str, Any] = {}
    if not same:
        change["taskDefinition"] = revision
    if int(service["desiredCount"]) < count:
        change["desiredCount"] = count
    if same and (int(service["desiredCount"]) == 0 or gave_up(present)):
        change["forceNewDeployment"] = True
    return change


def primary(service: Service) -> Deployment:
    """The present deployment."""
    deployments = service.get("deployments") or []
    found = next((d for d in deployments if d.get("status") == "PRIMARY"), None)
    if found is None:
        raise NotFoundError(
            f"The ECS service {service['serviceName']} cannot be read", "it has no primary deployment",
            "Its deployment controller must be ECS.",
        )  # fmt: skip
    return found


def gave_up(deployment: Deployment) -> bool:
    """The circuit breaker stopped this deployment."""
    return deployment.get("rolloutState") == "FAILED"


def returns(deployment: Deployment) -> bool:
    """ECS made this deployment by itself, to put the previous revision back."""
    return bool(_BACK.search(deployment.get("rolloutStateReason") or ""))


def goes_back(service: Service) -> bool:
    """The present deployment is ECS's way back, also when that was given up as well: then its own reason no
    longer says what it was, and the events do."""
    present = primary(service)
    return returns(present) or (gave_up(present) and _left(service) is not None)


def decisive(service: Service) -> Deployment:
    """The deployment whose tasks tell how the launch went: the one ECS gave up when it is going back.

    Whatever becomes of the way back (a placeholder fails as well), that is the release which was rolled out.
    ECS soon stops to list it among the deployments. Then only the events know it.
    """
    present = primary(service)
    if not goes_back(service):
        return present
    failed = [d for d in service["deployments"] if d is not present and gave_up(d)]
    known = max(failed, key=lambda d: d["createdAt"], default=None)
    if known is not None or completed(service):
        return known or present
    return _left(service) or present


def _left(service: Service) -> Deployment | None:
    """The deployment that ECS left when it made the present one its way back, by the service's events."""
    present, back = primary(service), None
    for told in service.get("events") or ():  # newest first
        gave = _GAVE_UP.search(told["message"])
        if _RETURNS.search(told["message"]) and back is None:
            back = told["createdAt"]
            if present["createdAt"] > back + _SAME_MOMENT:
                return None  # launched since
        elif back is not None and gave is not None and gave[1] != present["id"]:
            return {
                "id": gave[1], "status": "INACTIVE", "rolloutState": "FAILED",
                "rolloutStateReason": f"ECS gave up {gave[1]}: {gave[2]}",
            }  # fmt: skip
    return None


def completed(service: Service) -> bool:
    """The present deployment arrived: every task of the service is one of its revision."""
    return primary(service).get("rolloutState") == "COMPLETED"


def settled(service: Service) -> bool:
    """One deployment, completed, everything running that is wanted."""
    counted = int(service["runningCount"]) == int(service["desiredCount"])
    return len(service["deployments"]) == 1 and completed(service) and counted


def complaint(service: Service) -> str:
    """What ECS says when not all is well: the deployment's reason, else the newest event since it began."""
    present, bad = primary(service), decisive(service)
    if gave_up(bad) or goes_back(service):
        also = "; what ECS put back failed as well" if bad["id"] != present["id"] and gave_up(present) else ""
        return str(bad.get("rolloutStateReason") or "") + also
    if int(service["runningCount"]) >= int(service["desiredCount"]):
        return ""
    told = [
        e["message"]
        for e in service.get("events") or ()
        if e["createdAt"] >= present["createdAt"] and re.search(r"unable|fail|stopped|error", e["message"])
    ]
    return str(told[0]) if told else ""
