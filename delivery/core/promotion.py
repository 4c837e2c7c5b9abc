"""May this commit go on to the next environment now? Soak, approvals, windows with their timezone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from delivery.core.ledger import LedgerRecord, Outcome, ReleaseRecord
from delivery.core.service import PromotionSpec

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WINDOW = re.compile(r"(\w{3})(?:-(\w{3}))?\s+(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})\s+(\S+)")


@dataclass(frozen=True, slots=True)
class Promotion:
    """The answer, why, and (when only time is missing) when to ask again."""

    allowed: bool
    reason: str
    wake_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Weekdays and hours in which changes are allowed, e.g. `Mon-Thu 09:00-16:00 Europe/Berlin`.

    `days` are 0 (Monday) to 6; minutes count from local midnight, so a change of the clocks does not
    move the window for the people in it. An end before the start reaches into the next day.
    """

    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read the written form; ValueError says what is wrong with it."""
        match = _WINDOW.fullmatch(text.strip())
        if not match:
            raise ValueError(f"{text!r} is not of the form 'Mon-Thu 09:00-16:00 Europe/Berlin'")
        first, last, h1, m1, h2, m2, zone = match.groups()
        start, end = int(h1) * 60 + int(m1), int(h2) * 60 + int(m2)
        if start > 1440 or end > 1440 or int(m1) > 59 or int(m2) > 59 or start == end:
            raise ValueError(f"{text!r} has no valid span of hours")
        try:
            return cls(_days(first, last or first), start, end, ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{text!r}: {error}") from None

    def contains(self, moment: datetime) -> bool:
        """Whether the moment is inside."""
        local = moment.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= minute < self.end
        yesterday = (local.weekday() - 1) % 7
        return (local.weekday() in self.days and minute >= self.start) or (
            yesterday in self.days and minute < self.end
        )

    def opens_after(self, moment: datetime) -> datetime:
        """The next opening (UTC) after the moment."""
        local = moment.astimezone(self.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        for ahead in range(9):
            day = midnight + timedelta(days=ahead)
            opening = (day + timedelta(minutes=self.start)).replace(tzinfo=self.zone).astimezone(UTC)
            if day.weekday() in self.days and opening > moment:
                return opening
        raise AssertionError("a window opens at least once a week")


def may_promote(
    spec: PromotionSpec, commit: str, upstream: LedgerRecord, here: LedgerRecord, now: datetime
) -> Promotion:
    """Whether `commit`, verified in `upstream`, may be deployed `here` now."""
    verified = _verified(upstream, commit)
    if verified is None:
        return Promotion(False, f"{commit[:8]} is not verified in {spec.environment}")
    if here.hold:
        return Promotion(
            False, f"deployments are held since {here.hold.since:%Y-%m-%d %H:%M}: {here.hold.reason}"
        )
    if here.quarantined(verified.release.image.digest):
        return Promotion(False, f"the image of {commit[:8]} is quarantined here")
    if upstream.quarantined(verified.release.image.digest):
        return Promotion(False, f"the image of {commit[:8]} is quarantined in {spec.environment}")
    soaked = verified.at + timedelta(seconds=spec.soak)
    if now < soaked:
        return Promotion(False, f"soaks in {spec.environment} until {soaked:%Y-%m-%d %H:%M:%S} UTC", soaked)
    by = sorted({who for c, who, _ in here.approvals if c == commit})
    if len(by) < spec.approvals:
        return Promotion(False, f"{len(by)} of {spec.approvals} approvals{': ' if by else ''}{', '.join(by)}")
    return _in_window(spec.windows, now)


def _in_window(windows: Sequence[str], now: datetime) -> Promotion:
    parsed = [Window.parse(text) for text in windows]
    if not parsed or any(w.contains(now) for w in parsed):
        return Promotion(True, "verified upstream, soaked, approved and inside a window")
    opening = min(w.opens_after(now) for w in parsed)
    return Promotion(False, f"outside every window, the next opens {opening:%Y-%m-%d %H:%M} UTC", opening)


def _verified(record: LedgerRecord, commit: str) -> ReleaseRecord | None:
    """The record of this commit while it is what is live and verified upstream."""
    if record.live is None or record.live.commit != commit:
        return None
    entry = record.record_of(record.live.id)
    return entry if entry is not None and entry.outcome is Outcome.VERIFIED else None


def _days(first: str, last: str) -> frozenset[int]:
    for day in (first, last):
        if day not in _DAYS:
            raise ValueError(f"{day!r} is not one of {', '.join(_DAYS)}")
    a, b = _DAYS.index(first), _DAYS.index(last)
    return frozenset(range(a, b + 1)) if a <= b else frozenset((*range(a, 7), *range(b + 1)))
