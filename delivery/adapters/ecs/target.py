"""`Target` on ECS: two services behind one weighted listener rule.

Nothing is remembered between calls but immutable revisions: AWS is the truth, and any process may go on
where another stopped. Guards read afresh what they guard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from delivery.adapters.aws.session import PROMPT, Aws
from delivery.adapters.aws.shared import SharedReads
from delivery.adapters.ecs.capacity import Capacity, bounds_for
from delivery.adapters.ecs.idle import IdleLooks, Seen
from delivery.adapters.ecs.observe import healthy_of, is_suspicious, release_name, slot_state
from delivery.adapters.ecs.oneoff import OneOffs
from delivery.adapters.ecs.services import Service, Services, completed, decisive, launch_change
from delivery.adapters.ecs.task_definition import Revisions
from delivery.adapters.ecs.tasks import Tasks
from delivery.adapters.ecs.traffic import Rules, Traffic
from delivery.core.infra import DeployContract
from delivery.core.release import Slot
from delivery.core.target import (
    Action,
    Drain,
    EndTask,
    Launch,
    RunOnce,
    ShiftTraffic,
    SlotState,
    TargetState,
)
from delivery.errors import RefusedError


class EcsTarget:
    """One service in one environment. `variables` are the containers' plain environment, never secrets.

    `reads`: where looks that may be a while old come from; without it every look is measured now.
    """

    def __init__(
        self,
        aws: Aws,
        contract: DeployContract,
        variables: Mapping[str, str],
        reads: SharedReads | None = None,
    ) -> None:
        self._aws, self._contract = aws, contract
        self._idle = IdleLooks(reads, contract) if reads is not None else None
        self._revisions = Revisions(aws, contract, variables)
        self._services = Services(aws, contract)
        self._traffic = Traffic(aws, contract)
        self._capacity = Capacity(aws, contract)
        self._tasks = Tasks(aws, contract, self._revisions)
        self._one_offs = OneOffs(aws, contract, self._revisions, self._tasks)

    def observe(self, task: str = "", within: float = 0.0) -> TargetState:
        """One look at both slots: two calls for both, one for each slot in use, and more where tasks fail.

        Until a deployment has arrived, only targets of its own revision count: what is just leaving the slot
        must not speak for what is just coming. One that may be `within` seconds old is shared with all
        workers of the machine, where nothing moves and nothing looks wrong; `age` then says how old it is.
        """
        old = self._idle.look(within) if self._idle is not None and within > 0 and not task else None
        if old is not None:
            return self._as_it_was(old)
        with self._aws.within(PROMPT):
            return self._as_it_is(task)

    def _as_it_is(self, task: str) -> TargetState:
        rules = self._traffic.rules()
        weights, services = self._traffic.weights(rules), self._services.describe()
        slots = {slot: self._slot(slot, services[slot], weights[slot]) for slot in Slot}
        return self._state(rules, slots, task)

    def _as_it_was(self, seen: Seen) -> TargetState:
        weights, slots = self._traffic.weights(seen.rules), {}
        for slot, service in seen.services.items():
            release = release_name(service, self._revisions.release_of(service["taskDefinition"]))
            healths = healthy_of(seen.targets.get(slot, ()))
            slots[slot] = slot_state(slot, service, weights[slot], release, healths)
        return replace(self._state(seen.rules, slots, ""), age=seen.age)

    def _state(self, rules: Rules, slots: Mapping[Slot, SlotState], task: str) -> TargetState:
        idle = min(Slot, key=lambda slot: slots[slot].weight)
        return TargetState(
            blue=slots[Slot.BLUE],
            green=slots[Slot.GREEN],
            preview=self._traffic.preview(rules) or idle,
            min_capacity=self._contract.min_capacity,
            max_capacity=self._contract.max_capacity,
            task=self._one_offs.look(task) if task else None,
        )

    def apply(self, action: Action) -> None:
        """Do one action; doing it twice has the effect of once. RefusedError when a guard says no.

        UnavailableError when it is not over in time: nothing of it begins `PROMPT` seconds later, when
        somebody else may hold the deploy lock.
        """
        with self._aws.within(PROMPT):
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Launch():
                self._launch(action)
            case ShiftTraffic():
                self._shift(action)
            case Drain():
                self._drain(action)
            case RunOnce():
                self._one_offs.run(action)
            case EndTask():
                self._one_offs.end(action)
            case _:
                assert_never(action)

    def _slot(self, slot: Slot, service: Service, weight: int) -> SlotState:
        name, revision = service["serviceName"], service["taskDefinition"]
        release = release_name(service, self._revisions.release_of(revision))
        used = weight > 0 or int(service["desiredCount"]) > 0 or int(service["runningCount"]) > 0
        present = None if completed(service) else self._tasks.addresses(name, revision)
        health = healthy_of(self._traffic.health(slot), present) if used else (0, 0)
        if not is_suspicious(service):
            return slot_state(slot, service, weight, release, health)
        failures = self._tasks.failures(name, decisive(service)["id"])
        return slot_state(slot, service, weight, release, health, failures)

    def _launch(self, launch: Launch) -> None:
        """The preview rule first, so that no task of the slot is ever behind another's preview; the bounds
        before the count, so that autoscaling does not take back what is started.

        ECS has no conditional update, so the count is read once more right before it is written: what
        autoscaling added meanwhile stays. Between those two calls it can still be undercut, never below
        what the launch asks for; autoscaling then adds again what it needs.
        """
        revision = self._revisions.ensure(launch.release)
        rules, services = self._traffic.rules(), self._services.describe()
        self._traffic.reach(launch.slot, rules)
        change = launch_change(services[launch.slot], revision, launch.count)
        if change:
            wanted = {slot: int(services[slot]["desiredCount"]) for slot in Slot}
            wanted[launch.slot] = max(wanted[launch.slot], launch.count)
            self._bound(self._traffic.weights(rules), wanted)
            change = launch_change(self._services.describe()[launch.slot], revision, launch.count)
        if change:
            self._services.update(launch.slot, change)

    def _shift(self, shift: ShiftTraffic) -> None:
        """Traffic before capacity: the bounds follow when the weights are set."""
        if not 0 <= shift.percent <= 100:
            raise ValueError(f"not a share of traffic: {shift.percent} %")
        weights = {shift.candidate: shift.percent, shift.candidate.other: 100 - shift.percent}
        wanted = self._wanted()
        self._traffic.give(weights, self._traffic.rules(), wanted)
        self._bound(weights, wanted)

    def _drain(self, drain: Drain) -> None:
        """Parks the slot, and leaves the other one to autoscaling (a shift may have been cut short)."""
        weights, wanted = self._traffic.weights(self._traffic.rules()), self._wanted()
        if weights[drain.slot] > 0:
            raise RefusedError(
                f"The slot {drain.slot} of {self._contract.service} was not drained",
                f"it has {weights[drain.slot]} % of the production traffic",
                "Shift the traffic to the other slot first.",
            )  # fmt: skip
        self._bound(weights, {**wanted, drain.slot: 0})
        if wanted[drain.slot] > 0:
            self._services.update(drain.slot, {"desiredCount": 0})

    def _wanted(self) -> dict[Slot, int]:
        return {slot: int(service["desiredCount"]) for slot, service in self._services.describe().items()}

    def _bound(self, weights: Mapping[Slot, int], wanted: Mapping[Slot, int]) -> None:
        low, high = self._contract.min_capacity, self._contract.max_capacity
        self._capacity.bound({slot: bounds_for(weights[slot], wanted[slot], low, high) for slot in Slot})
