"""Where the choices of a random history come from: hypothesis, which shrinks them, or plain dice, which are
ten times as quick. The same histories come of both, each as likely."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Dice(Protocol):
    """One choice after the other."""

    def number(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        ...

    def one_of(self, options: Sequence[T]) -> T:
        """One of these, as often as it stands there."""
        ...


class Plain:
    """Dice with a seed: the same seed, the same history, on every machine."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def number(self, low: int, high: int) -> int:
        """A whole number."""
        return low + int(self._random() * (high - low + 1))

    def one_of(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[int(self._random() * len(options))]


class Drawn:
    """Hypothesis's choices."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def number(self, low: int, high: int) -> int:
        """A whole number."""
        return int(self._draw(_numbers(low, high)))

    def one_of(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.number(0, len(options) - 1)]


def up_to(dice: Dice, most: int, make: Callable[[Dice], T]) -> list[T]:
    """None to `most` of them."""
    return [make(dice) for _ in range(dice.number(0, most))]


@lru_cache(maxsize=256)
def _numbers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)
