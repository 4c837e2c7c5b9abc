"""moto tells the time of this machine; everything in the sandbox tells AWS's."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from moto.applicationautoscaling import models as autoscaling_models
from moto.core.utils import utcnow
from moto.ecr import models as ecr_models
from moto.secretsmanager import models as secrets_models

from delivery.sandbox.clock import CLOCK


def awss_time() -> None:
    """moto stamps what it makes with this machine's time: when the sandbox's runs faster, or is off, a role's
    session, a message's visibility and a key's age would belong to another world than its alarms.

    Most of moto asks `utcnow`, which its modules import by name: the function itself is given another body.
    Three modules ask Python; they get a `time` and a `datetime` that ask the sandbox's clock.
    """
    utcnow.__code__ = _utcnow.__code__
    secrets_models.time = _Time  # type: ignore[assignment]
    autoscaling_models.time = _Time  # type: ignore[assignment]
    ecr_models.datetime = _Datetime  # type: ignore[misc]


def _utcnow() -> datetime:
    """Runs as a part of moto's own module, where nothing of ours is known: it imports what it needs."""
    from delivery.sandbox.clock import CLOCK

    return CLOCK.utcnow().replace(tzinfo=None)


class _Time:
    """What moto uses of the module `time`."""

    time = staticmethod(CLOCK.now)


class _Datetime(datetime):
    """A `datetime` whose present is AWS's."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """AWS's time, naive without a zone, as Python's."""
        return datetime.fromtimestamp(CLOCK.now(), tz)

    @classmethod
    def today(cls) -> Any:
        """AWS's time, naive."""
        return datetime.fromtimestamp(CLOCK.now())
