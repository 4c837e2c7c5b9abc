"""What a soak does a hundred thousand times a second, done quicker: the same answers for less time."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

_slow = dataclasses.replace


def hurry() -> None:
    """From now on, in this process, scipy is asked once for the same samples, and `replace` copies at once.

    What `dataclasses.replace` is given is checked by the suite, which plays without this.
    """
    from scipy import stats

    stats.mannwhitneyu = lru_cache(maxsize=4096)(stats.mannwhitneyu)
    for name, module in list(sys.modules.items()):
        if name.startswith("delivery") and getattr(module, "replace", None) is _slow:
            vars(module)["replace"] = _replace


def _replace(one: Any, /, **changes: Any) -> Any:
    kind: Any = type(one)
    copy = _copiers(kind)
    return copy(one, changes) if copy else _slow(one, **changes)


@cache
def _copiers(kind: type) -> Callable[[Any, dict[str, Any]], Any] | None:
    """Slot by slot, for a class with nothing but fields in slots."""
    names = [field.name for field in dataclasses.fields(kind)]
    if len(names) < 2 or "__slots__" not in vars(kind) or hasattr(kind, "__post_init__"):
        return None
    setters = {name: getattr(kind, name).__set__ for name in names}
    every, values = tuple(setters.values()), attrgetter(*names)
    new: Callable[[type], Any] = object.__new__

    def copy(one: Any, changes: dict[str, Any]) -> Any:
        made = new(kind)
        for put, value in zip(every, values(one), strict=True):
            put(made, value)
        for name, value in changes.items():
            setters[name](made, value)
        return made

    return copy
