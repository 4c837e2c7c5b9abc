"""Scales ECS services when alarms say so, and when their bounds were moved past them.

Source: "Scaling activities", "Register scalable targets" and "Target tracking scaling policies" in the
Application Auto Scaling user guide.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from delivery.sandbox.autoscaling.policies import COOLDOWN, Last, stepped, tracked
from delivery.sandbox.clock import CLOCK
from delivery.sandbox.cloudwatch.alarm import Alarm
from delivery.sandbox.server import STATE

#: AWS seconds after RegisterScalableTarget until a count outside the new bounds is moved into them.
SETTLE = 10.0
_DIMENSION = "ecs:service:DesiredCount"


@dataclass(slots=True)
class Activity:
    """One change of a desired count. It ends when as many tasks run."""

    resource: str
    before: int
    after: int
    cause: str
    policy: str = ""
    started: float = field(default_factory=CLOCK.now)
    ended: float | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def described(self) -> dict[str, Any]:
        """As DescribeScalingActivities shows it."""
        done = self.ended is not None
        waiting = (
            "Change successfully fulfilled by ecs." if done else "Waiting for change to be fulfilled by ecs."
        )
        shown = {
            "ActivityId": self.id, "ServiceNamespace": "ecs", "ResourceId": self.resource,
            "ScalableDimension": _DIMENSION, "Description": f"Setting desired count to {self.after}.",
            "Cause": self.cause, "StartTime": self.started,
            "StatusCode": "Successful" if done else "InProgress",
            "StatusMessage": f"Successfully set desired count to {self.after}. {waiting}",
        }  # fmt: skip
        return {**shown, "EndTime": self.ended} if done else shown


@dataclass
class Scaler:
    """The scalable targets of one account and region. `changed` shows ECS a service's new desired count."""

    backend: Callable[[], Any]
    ecs: Callable[[], Any]
    changed: Callable[[Any], None]
    alarms: Callable[[], dict[str, Alarm]]
    activities: list[Activity] = field(default_factory=list)
    _registered: dict[str, float] = field(default_factory=dict)

    def registered(self, resource: str) -> None:
        """A target's bounds were set; soon its count will be within them."""
        self._registered[resource] = CLOCK.now() + SETTLE

    def tick(self) -> None:
        """End what is fulfilled, and move counts into bounds that were set."""
        if not self._registered and all(a.ended is not None for a in self.activities[-20:]):
            return
        with STATE:
            for activity in self.activities[-20:]:
                service = self._service(activity.resource)
                if activity.ended is None and (service is None or service.running_count == activity.after):
                    activity.ended = CLOCK.now()
            for resource, due in list(self._registered.items()):
                if due <= CLOCK.now():
                    del self._registered[resource]
                    self._into_bounds(resource)

    def _into_bounds(self, resource: str) -> None:
        target, service = self._target(resource), self._service(resource)
        if target is None or service is None:
            return
        low, high = int(target.min_capacity), int(target.max_capacity)
        if service.desired_count < low:
            self._set(resource, service, low, f"minimum capacity was set to {low}")
        elif service.desired_count > high:
            self._set(resource, service, high, f"maximum capacity was set to {high}")

    def act(self, arn: str, alarm: Alarm, value: float | None) -> None:
        """An alarm calls a policy, by its ARN and `:createdBy/…`; `value` is the alarm's newest datapoint."""
        policy = next((p for p in self.backend().policies.values() if arn.startswith(p.policy_arn)), None)
        if policy is None or value is None or policy.service_namespace != "ecs":
            return
        target, service = self._target(policy.resource_id), self._service(policy.resource_id)
        if target is None or service is None:
            return
        wanted = self._wanted(policy, target, service.desired_count, alarm, value)
        if wanted != service.desired_count and not self._suspended(target, wanted > service.desired_count):
            cause = f"monitor alarm {alarm.name} in state ALARM triggered policy {policy.policy_name}"
            self._set(policy.resource_id, service, wanted, cause, policy.policy_name)

    def _wanted(self, policy: Any, target: Any, current: int, alarm: Alarm, value: float) -> int:
        """The count a policy asks for now; the present one when it must wait or may not."""
        low, high = int(target.min_capacity), int(target.max_capacity)
        held = current
        config = policy.target_tracking_scaling_policy_configuration
        if config is None:
            step = policy.step_scaling_policy_configuration or {}
            wanted = stepped(held, value, float(alarm.settings["Threshold"]), step, low, high)
            within = self._cooling(policy, wanted > held, float(step.get("Cooldown") or COOLDOWN))
            if within is None or wanted == held:
                return wanted
            again = stepped(within.before, value, float(alarm.settings["Threshold"]), step, low, high)
            return max(held, again) if wanted > held else held
        if "-AlarmHigh-" in alarm.name:
            within = self._cooling(policy, True, float(config.get("ScaleOutCooldown", COOLDOWN)))
            return max(held, tracked(held, value, float(config["TargetValue"]), low, high, within))
        within = self._cooling(policy, False, float(config.get("ScaleInCooldown", COOLDOWN)))
        if config.get("DisableScaleIn") or within is not None or not self._all_ready_to_shrink(policy):
            return held
        return min(held, tracked(held, value, float(config["TargetValue"]), low, high, None))

    def _cooling(self, policy: Any, out: bool, cooldown: float) -> Last | None:
        """The policy's last activity in a direction while its cooldown lasts, or it goes on."""
        for a in reversed(self.activities):
            if a.resource == policy.resource_id and a.policy and (a.after > a.before) == out:
                ended = CLOCK.now() if a.ended is None else a.ended
                return Last(a.before, a.after, ended) if CLOCK.now() < ended + cooldown else None
        return None

    def _all_ready_to_shrink(self, policy: Any) -> bool:
        """With several target tracking policies, all that may shrink a service must want to."""
        known = self.alarms()
        for other in self.backend().policies.values():
            config = other.target_tracking_scaling_policy_configuration
            if other.resource_id == policy.resource_id and config and not config.get("DisableScaleIn"):
                low = [known.get(a.name) for a in other.alarms if "-AlarmLow-" in a.name]
                if any(a is None or a.state.value != "ALARM" for a in low):
                    return False
        return True

    @staticmethod
    def _suspended(target: Any, out: bool) -> bool:
        name = "DynamicScalingOutSuspended" if out else "DynamicScalingInSuspended"
        return bool((target.suspended_state or {}).get(name))

    def _set(self, resource: str, service: Any, wanted: int, cause: str, policy: str = "") -> None:
        self.activities.append(Activity(resource, service.desired_count, wanted, cause, policy))
        service.desired_count = wanted
        self.changed(service)

    def _target(self, resource: str) -> Any:
        return self.backend().targets.get(_DIMENSION, {}).get(resource)

    def exists(self, resource: str) -> bool:
        """Whether a resource id (`service/cluster/name`) names a service."""
        return self._service(resource) is not None

    def _service(self, resource: str) -> Any:
        service = self.ecs().services.get(":".join(resource.split("/")[1:]))
        return service if service is not None and service.status == "ACTIVE" else None

    def of(self, resource: str | None) -> Iterator[Activity]:
        """The activities of a resource, or of all, newest first."""
        return (a for a in reversed(self.activities) if resource in (None, a.resource))
