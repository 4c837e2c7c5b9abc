"""Plays a history to its end: people, sensors and runs do what it says, then all must settle."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from delivery.core.analysis import VerdictPhase
from delivery.core.ledger import LedgerRecord
from delivery.core.release import Slot
from delivery.core.rollout import RolloutPhase
from delivery.core.service import ServiceSpec
from delivery.errors import DeliveryError
from delivery.flows import control
from delivery.flows.deploy import deploy
from delivery.flows.health import judge
from delivery.flows.manual_rollback import return_to
from delivery.flows.operation import Operation
from delivery.flows.report import incident, live
from delivery.flows.rollback import rollback
from delivery.flows.steering import Order, Word, steer
from delivery.flows.watch import alarmed, unfinished
from delivery_tests.fakes import sample_sha
from delivery_tests.flows.properties.ending import locked, problems, stands
from delivery_tests.flows.properties.history import BEHAVIOURS, Event, History
from delivery_tests.flows.properties.hub import Worker
from delivery_tests.flows.properties.world import ENVIRONMENT, HistoryWorld

#: Seconds in which everybody who works must have come to an end, or to a pause.
LONGEST = 12 * 3600.0
TICK = 30.0  # the backstop's
#: What persons say as orders. (One that pauses has the patience of a day, which is too long for a history.)
ORDERS: dict[str, Word] = {"return": "rollback", "continue": "continue", "abort": "abort"}
ROUNDS, PATIENT = 24, 200  # PATIENT: seconds for which a person looks whether there is something to accept


class Play:
    """One history on its way."""

    def __init__(self, history: History) -> None:
        self.history, self.world = history, HistoryWorld(history)
        self.hub, self.promises = self.world.hub, self.world.promises
        self._waiting: list[tuple[str, str]] = []
        self._runs = 0
        self._tried: set[str] = set()

    def to_the_end(self) -> list[str]:
        """Every promise that was broken."""
        for turn in self.history.turns:
            behaves = partial(self.world.behave, sample_sha(turn.commit), BEHAVIOURS[turn.behaviour])
            self.hub.at(turn.at, behaves)
        for event in self.history.events:
            self.hub.at(event.at, partial(self._do, event))
        last = max((event.at for event in self.history.events), default=0)
        if self.history.backstop:
            for number in range(1, int((last + 90) // TICK)):
                self.hub.at(number * TICK, self._tick)
        self.hub.advance(max([last, *(turn.at for turn in self.history.turns)]) + 1)
        self._settle()
        if self.history.rescue and not self.promises.broken:
            self._rescue()
        return self.promises.broken

    # -- people and sensors ----------------------------------------------------------------------------------

    def _do(self, event: Event) -> None:
        world, slot = self.world, (Slot.BLUE, Slot.GREEN)[event.number % 2]
        sha, target = sample_sha(event.commit), world.watched
        self.world.say("event", f"{event.doing} {event.commit} {event.number}")
        match event.doing:
            case "deploy" | "rollback":
                self._start(event.doing, sha)
            case "judge" | "sour":
                live = world.written().live
                sha = live.commit if live is not None else sha
                if event.doing == "sour":
                    self.promises.soured.add(sha)
                    world.behave(sha, BEHAVIOURS["errors"])
                self.hub.at(10 if event.doing == "sour" else 0, partial(self._start, "judge", sha))
            case "alarm" | "late alarm":
                self.promises.alarmed = True
                slot = target.look().stable if event.doing == "late alarm" else slot
                world.alarms.fire(f"web-production-{slot}-5xx", self.hub.now(), "errors")
                for later in (1, 2, 40):
                    self.hub.at(later, self._sense)
            case "accept":
                for later in range(0, PATIENT, 5):
                    self.hub.at(later, partial(self._accept, event))
            case "calm":
                world.calm()
            case "dark" | "light":
                world.at(ENVIRONMENT).metrics.dark = event.doing == "dark"
            case "away":
                world.faulty.refuse("target.apply", 4 + event.number % 30)
            case "gone":
                world.registry.remove(world.release(event.commit).image)
            case "scale":
                if target.look().slot(slot).desired:
                    target.scale(slot, 2 + event.number % 3)
            case "end task":
                target.one_offs.stop_next = True
            case "weight" | "drain" | "foreign":
                self._edit(event, slot)
            case _:
                self._person(event)

    def _edit(self, event: Event, slot: Slot) -> None:
        """Somebody at the AWS console."""
        self.promises.edits.append(self.hub.now())
        target = self.world.watched
        match event.doing:
            case "weight":
                target.set_weight(slot, event.number)
            case "drain":
                target.scale(slot, 0)
            case _:
                release = self.world.release(event.commit)
                self.promises.foreign.add(release.id)
                target.run(slot, release, 2)

    def _accept(self, event: Event) -> None:
        """What nobody can tell is taken on by a person."""
        rollout = self.world.written().rollout
        if rollout is not None and rollout.phase is RolloutPhase.PAUSED and rollout.undecided:
            self.world.say("event", f"accept {', '.join(rollout.undecided)}")
            self._person(replace(event, doing="continue"))
            self.hub.at(1, self._tick)

    def _person(self, event: Event) -> None:
        """Somebody with the `delivery` command."""
        op = self.world.op(f"person {event.doing} {self._next()}")
        sha, release = sample_sha(event.commit), self.world.release(event.commit)
        to = sha[:8] if event.number % 2 else None
        work = {
            "return": lambda: return_to(op, ENVIRONMENT, to, "complaints"),
            "hold": lambda: control.hold(op, ENVIRONMENT, "freeze"),
            "unhold": lambda: control.lift_hold(op, ENVIRONMENT),
            "lift": lambda: control.lift_quarantine(op, ENVIRONMENT, release.image.digest),
            "pause": lambda: control.pause_rollout(op, ENVIRONMENT, "look", patience=20),
            "continue": lambda: control.continue_rollout(op, ENVIRONMENT),
            "abort": lambda: control.abort_rollout(op, ENVIRONMENT, "no time"),
            "approve": lambda: control.approve(op, ENVIRONMENT, sha, "ada"),
        }[event.doing]
        if self.history.orders and event.doing in ORDERS:
            order = Order(ORDERS[event.doing], op.holder.removeprefix("person "), "complaints", to)
            direct = self.history.orders == "direct"
            by = replace(op, run_id="" if direct else op.run_id)
            work = partial(steer, by, ENVIRONMENT, order, drive=direct)
        self.hub.start_worker(op.holder, work, person=True)

    def _next(self) -> int:
        self._runs += 1
        return self._runs

    # -- runs ------------------------------------------------------------------------------------------------

    def _start(self, kind: str, sha: str) -> None:
        """A run, in its turn if Dagster's queue has only one at a time."""
        if self.history.queue and self._running():
            self._waiting.append((kind, sha))
            return
        self._run(kind, sha)

    def _running(self) -> list[Worker]:
        return [worker for worker in self.hub.busy() if not worker.person]

    def _run(self, kind: str, sha: str, dead: str = "") -> None:
        holder = f"run {kind} {self._next()}"
        chain = {"deploy": self._delivery, "judge": self._judgement, "rollback": self._rollback}[kind]

        def work() -> None:
            try:
                chain(self.world.op(holder, dead), sha)
            except DeliveryError as error:
                self.world.say(holder, f"red: {type(error).__name__}: {error}")
                raise
            finally:
                if self._waiting:
                    self._run(*self._waiting.pop(0))

        self.hub.start_worker(holder, work)

    def _delivery(self, op: Operation, sha: str) -> None:
        """From `deployment` to the end of the chain."""
        deploy(op, ENVIRONMENT, sha)
        verdict = judge(op, ENVIRONMENT, sha)
        if verdict.phase is VerdictPhase.SUCCESSFUL:
            live(op, ENVIRONMENT, sha)
        elif verdict.phase is VerdictPhase.FAILED:
            rollback(op, ENVIRONMENT, sha)
            incident(op, ENVIRONMENT, sha)

    def _judgement(self, op: Operation, sha: str) -> None:
        """`health` again, and what follows from a bad one."""
        if judge(op, ENVIRONMENT, sha).phase is VerdictPhase.FAILED:
            self._rollback(op, sha)

    def _rollback(self, op: Operation, sha: str) -> None:
        rollback(op, ENVIRONMENT, sha)
        incident(op, ENVIRONMENT, sha)

    # -- the sensors -----------------------------------------------------------------------------------------

    def _sense(self) -> None:
        """The alarm sensor: each firing of what is live has it judged once."""
        try:
            found = alarmed(self.world, [self.world.service])
        except DeliveryError as error:
            self.world.say("sensor", str(error))
            return
        self.world.tell_alarms(found.unheard)
        for one in found.due:
            key = f"{one.alarm} {one.since}"
            if key not in self._tried:
                self._tried.add(key)
                self.world.say("sensor", f"{one.commit[:8]}: {one.alarm} fires")
                self._start("judge", one.commit)

    def _tick(self) -> int:
        """One tick: what it finds unfinished gets a run, each attempt once. How much it found."""
        try:
            found = unfinished(self.world, [self.world.service], self.hub.now(), gone=self._gone)
        except DeliveryError as error:
            self.world.say("backstop", str(error))
            return 0
        for one in (one for one in found if one.environment == ENVIRONMENT):
            key = f"{one.attempt_key} {int(self.hub.seconds() // 3600)}"
            if key not in self._tried:
                self._tried.add(key)
                self.world.say("backstop", f"{one.kind} {one.commit[:8]}: {one.reason}")
                self._run("deploy" if one.kind == "rollout" else "judge", one.commit, one.dead)
        return len(found)

    def _gone(self, record: LedgerRecord, service: ServiceSpec) -> bool:
        """Whether whoever has the lock is known to be dead."""
        killed = [worker.name for worker in self.hub.workers if worker.outcome == "killed"]
        return self.history.watched and record.lock is not None and record.lock.holder in killed

    def _settle(self) -> None:
        """Everybody comes to an end, the world is well again, and the backstop finishes what is left."""
        if not self.hub.run_out(LONGEST):
            self.promises.fail(f"3: never ends: {', '.join(w.name for w in self.hub.busy())}")
        self.world.faulty.heal()
        self.world.watched.one_offs.stop_next = False
        self.world.at(ENVIRONMENT).metrics.dark = False
        self.world.calm()
        quiet = 0
        for number in range(ROUNDS):
            if self.hub.stopped:
                return
            known = len(self.hub.workers)
            self.hub.advance(65 if number < ROUNDS / 2 else 3600)
            found = self._tick()
            if not self.hub.run_out(LONGEST):
                self.promises.fail(f"3: never ends: {', '.join(w.name for w in self.hub.busy())}")
            more = (found or len(self.hub.workers) > known) and not stands(self.world)
            quiet = 0 if more or locked(self.world) else quiet + 1
            if quiet > 1:  # a failure of just now is left to its own run for a minute
                self._check()
                return
        if not self.promises.edits:  # what somebody did at the console may leave a release without a verdict
            self.promises.fail("3: the backstop never comes to an end")

    def _check(self) -> None:
        told = bool(self.promises.edits) or self.promises.stays
        for problem in problems(self.world.written(), self.world.watched.look(), told):
            self.promises.fail(problem)

    # -- a person takes over ---------------------------------------------------------------------------------

    def _rescue(self) -> None:
        """A person gives up what stands, lifts the hold, and the next good commit gets through."""
        world, op = self.world, self.world.op("person rescue")
        for _ in range(2):  # the second time it ends where it stands
            rollout = world.written().rollout
            if rollout is not None and rollout.phase is RolloutPhase.PAUSED and not self.promises.broken:
                world.say("event", f"abort {rollout.kind} {rollout.release.id}: {rollout.reason}")
                control.abort_rollout(op, ENVIRONMENT, "rescue")
                self._settle()
        world.say("event", "deploy z")
        control.lift_hold(op, ENVIRONMENT)
        self._start("deploy", sample_sha("z"))
        self._settle()
        live, seen = world.written().live, world.watched.look()
        stable = seen.slot(seen.stable)
        good, rollout = world.release("z").id, world.written().rollout
        if self.promises.broken or (live is not None and live.id == good and stable.release == good):
            return
        if rollout is not None and "nobody answered" in rollout.reason:
            return  # the strategy asks a person, and this one has gone home
        told = rollout.reason if rollout is not None and rollout.phase is RolloutPhase.PAUSED else ""
        if not (told and self.promises.edits):  # what somebody did at the console, a person has to mend
            self.promises.fail(f"3: the last good commit did not get through: {told}")


def play(history: History, story: bool = False) -> list[str]:
    """The promises a history breaks; with its story, for people, if it breaks any (or `story`)."""
    one = Play(history)
    broken = one.to_the_end()
    return [*broken, *one.world.said] if broken or story else []
