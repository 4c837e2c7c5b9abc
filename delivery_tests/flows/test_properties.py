"""It cannot get lost: whatever people, releases, providers and kills do, the promises hold at every step.

A failure shows the smallest history that breaks a promise, and its story. `play(History(...))` plays it
again; keep it as a plain test in `test_findings.py`.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, note, seed, settings

from delivery_tests.flows.conftest import SHARD
from delivery_tests.flows.properties.generate import histories as random_histories
from delivery_tests.flows.properties.generate import rolled
from delivery_tests.flows.properties.history import History
from delivery_tests.flows.properties.minimise import minimised, outcome
from delivery_tests.flows.properties.stage import play

#: Without `explain`, which would play thousands of histories more to say which part does not matter.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
#: How many are thought of by hypothesis, which looks in other places than dice do, and takes longer.
THOUGHT_OF = 1000


def test_every_promise_holds_in_every_history(shard: int, histories: int, history_seed: int) -> None:
    """Random strategies, releases, people, faults and kills: no action and no write breaks a promise."""
    for number in range(shard * SHARD, shard * SHARD + histories):
        history = rolled(history_seed, number)
        if outcome(history):
            small = minimised(history)
            told = "\n".join([f"number {number} of seed {history_seed}, in small:", repr(small)])
            pytest.fail("\n".join([told, *outcome(small)]))


def test_every_promise_holds_in_what_hypothesis_thinks_of(histories: int, history_seed: int) -> None:
    """The same for histories that grow out of earlier ones."""

    @seed(history_seed)
    @settings(
        max_examples=min(histories, THOUGHT_OF), deadline=None, derandomize=False, print_blob=True,
        phases=PHASES,
    )  # fmt: skip
    @given(random_histories())
    def holds(history: History) -> None:
        note(f"--history-seed {history_seed}")
        broken = play(history)
        assert not broken, "\n".join(broken)

    holds()
