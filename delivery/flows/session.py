"""The deploy lock, and the only way to write while holding it.

The lock is a part of the ledger's document: taken, renewed and given back by conditional writes. Every write
carries the fence of its acquisition, so a deployer that slept through its lock finds out at its next write
and stops. A killed one leaves the lock; it expires after `LOCK_SECONDS`, unless whoever
goes on knows that it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from delivery.core import journal
from delivery.core.idling import LOCK_SECONDS as LOCK_SECONDS
from delivery.core.ledger import LedgerRecord, Lock
from delivery.core.rollout import Rollout
from delivery.core.service import EnvironmentSpec
from delivery.errors import ConflictError, DeliveryError, LockHeldError, ProviderError
from delivery.flows.operation import Operation, contract_of
from delivery.ports import EnvironmentPorts, Stored

T = TypeVar("T")
#: How many seconds to wait for a living holder of the lock, by what the ledger says it is doing.
Patience = Callable[[LedgerRecord], float]
Change = Callable[[LedgerRecord], LedgerRecord]

#: A write that keeps losing the race against other writers of the document this often is given up.
RACES = 20


class _Moved(Exception):
    """The rollout in the ledger is not the one that was decided upon."""


class Session:
    """The lock of one service and environment in our hands."""

    def __init__(self, op: Operation, spec: EnvironmentSpec, stored: Stored, fence: int) -> None:
        self.op, self.spec = op, spec
        self._stored, self._fence = stored, fence
        self._known_at = self.now()
        #: For how many seconds the lock is renewed.
        self.lasts = LOCK_SECONDS

    @property
    def record(self) -> LedgerRecord:
        """The ledger as we last wrote or read it."""
        return self._stored.record

    @property
    def ports(self) -> EnvironmentPorts:
        """Target, metrics and prober of this environment."""
        return self.op.ports(contract_of(self.record))

    def now(self) -> datetime:
        """The present moment."""
        return self.op.world.clock.now()

    def write(self, change: Change) -> LedgerRecord:
        """Apply a change and renew the lock, in one conditional write; LockHeldError when the lock is lost.

        `change` may be applied again to a newer document, or to one that already holds it (a response that
        got lost): it must not do its work twice.
        """
        for _ in range(RACES):
            try:
                return patiently(self.op, self.spec, lambda: self._store(change))
            except ConflictError as error:
                if isinstance(error, LockHeldError):
                    raise
                self._stored = patiently(self.op, self.spec, self._load)
        raise ConflictError(
            f"The ledger of {self._name} was not written", "others keep writing it", "Try again later."
        )

    def refresh(self) -> LedgerRecord:
        """The ledger as it is now, the lock renewed; LockHeldError when the lock is lost."""
        return self.write(lambda record: record)

    def look_again(self, within: float) -> None:
        """Read the ledger again if somebody else wrote it, seen from a listing at most `within` seconds old.

        A person's order is found this way. What cannot be asked is found when the lock is renewed.
        """
        age = min(within, (self.now() - self._known_at).total_seconds())
        try:
            tag = self.op.world.ledger.tag(self.op.service.name, self.spec.name, max(0.0, age))
            if tag != self._stored.etag:
                self._stored, self._known_at = self._load(), self.now()
        except DeliveryError:
            return

    def move(self, base: Rollout, onward: Rollout, acting: bool = False) -> bool:
        """Write down that the rollout went from `base` to `onward`.

        False when the ledger holds another one by now (a person paused or aborted it): decide again. An
        unchanged rollout is only written to keep the lock, and always before something is done.
        """
        if onward == base and not acting and not self._old():
            return True

        def change(record: LedgerRecord) -> LedgerRecord:
            if record.rollout not in (base, onward):
                raise _Moved
            return journal.put_rollout(record, onward)

        try:
            self.write(change)
        except _Moved:
            return False
        return True

    @property
    def safe(self) -> bool:
        """Whether the lock lasts long enough to do something under it.

        It may not: the answer to the write that renewed it can come late, and then another deployer may act.
        """
        return not self._old()

    def sleep_until(self, moment: datetime) -> None:
        """Sleep, keeping the lock."""
        piece = timedelta(seconds=LOCK_SECONDS / 3)
        while moment - self.now() > piece:
            self.op.world.clock.sleep_until(self.now() + piece)
            if self._old():
                self.write(lambda record: record)
        self.op.world.clock.sleep_until(moment)

    def give_back(self) -> None:
        """Release the lock; if that cannot be done now, it expires by itself."""
        try:
            self.write(lambda record: journal.release_lock(record, self._fence))
        except DeliveryError as error:
            self.op.progress(f"the lock of {self._name} was left to expire: {error}")

    @property
    def _name(self) -> str:
        return f"{self.op.service.name} {self.spec.name}"

    def _old(self) -> bool:
        lock = self.record.lock
        return lock is None or lock.expires_at - self.now() < timedelta(seconds=LOCK_SECONDS / 2)

    def _load(self) -> Stored:
        return self.op.world.ledger.load(self.op.service.name, self.spec.name)

    def _store(self, change: Change) -> LedgerRecord:
        renewed = journal.renew_lock(self.record, self._fence, self.now(), self.lasts)
        if renewed is None:
            raise _held(self._name, self.record.lock, "was lost")
        self._stored = self.op.world.ledger.store(change(renewed), self._stored.etag)
        self._known_at = self.now()
        return self.record


@contextmanager
def lock(op: Operation, environment: str, patience: Patience | None = None) -> Iterator[Session]:
    """Hold the deploy lock; LockHeldError says who has it, until when.

    A living holder is waited for as long as `patience` says, without it not at all; a dead one's expires.

    It is given back at the end and after an error. An interrupted worker (a BaseException) leaves it: its
    successor looks before it acts.
    """
    session = _acquire(op, op.spec(environment), patience or (lambda _: 0.0))
    try:
        yield session
    except Exception:
        session.give_back()
        raise
    session.give_back()


def patiently(op: Operation, spec: EnvironmentSpec, call: Callable[[], T]) -> T:
    """Call a provider, again after a longer and longer wait, within the environment's error budget."""
    errors = 0
    while True:
        try:
            return call()
        except ProviderError as error:
            errors += 1
            if errors > spec.limits.error_budget:
                raise
            op.progress(f"could not ask ({errors} of {spec.limits.error_budget}): {error}")
            wait = timedelta(seconds=spec.limits.tick * 2 ** min(errors, 4))
            op.world.clock.sleep_until(op.world.clock.now() + wait)


def _acquire(op: Operation, spec: EnvironmentSpec, patience: Patience) -> Session:
    """Take the lock. Of one that is held we wait to see whether its holder lives: a living one renews it."""
    first: Lock | None = None
    told, lost, began = "", 0, op.world.clock.now()
    name = f"{op.service.name} {spec.name}"
    while lost < RACES * 2:
        stored = patiently(op, spec, lambda: op.world.ledger.load(op.service.name, spec.name))
        now = op.world.clock.now()
        again = bool(op.run_id)
        taken = journal.acquire_lock(stored.record, op.holder, now, LOCK_SECONDS, op.dead, op.url, again)
        held = stored.record.lock
        if taken is None and held is not None:
            longest = patience(stored.record)
            if first is not None and held != first and (now - began).total_seconds() >= longest:
                raise _held(name, held, "is held")
            if told != held.holder:
                op.progress(_waiting(name, held, longest))
            first, told = first or held, held.holder
            op.world.clock.sleep_until(min(held.expires_at, now + timedelta(seconds=LOCK_SECONDS / 12)))
            continue
        assert taken is not None
        try:
            fresh = patiently(op, spec, partial(op.world.ledger.store, taken, stored.etag))
        except ConflictError:
            lost += 1
            continue
        return Session(op, spec, fresh, taken.fence)
    raise ConflictError(
        f"The lock of {name} was not taken", "others keep writing the ledger", "Try again later."
    )


def _waiting(name: str, held: Lock, longest: float) -> str:
    told = f"{name} is locked by {held.holder} until {held.expires_at:%H:%M:%S} UTC, waiting"
    told = f"{told} until it has ended, at most {longest:.0f} s" if longest else told
    return f"{told} ({held.url})" if held.url else told


def _held(name: str, held: Lock | None, how: str) -> LockHeldError:
    by = held.sentence() if held else "nobody holds it"
    return LockHeldError(f"The lock of {name} {how}", by, "Wait until it ends, or look at what it does.")
