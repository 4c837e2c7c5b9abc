"""It cannot get lost: whatever people, releases, providers and kills do, the promises hold at every step.

A failure shows the smallest history that breaks a promise, its story, and the seed. `play(History(...))`
plays it again; keep it as a plain test in `test_findings.py`.
"""

from __future__ import annotations

from hypothesis import Phase, given, note, seed, settings

from delivery_tests.flows.properties.generate import HISTORIES
from delivery_tests.flows.properties.history import History
from delivery_tests.flows.properties.stage import play

#: Without `explain`, which would play thousands of histories more to say which part does not matter.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


def test_every_promise_holds_in_every_history(shard: int, histories: int, history_seed: int) -> None:
    """Random strategies, releases, people, faults and kills: no action and no write breaks a promise."""

    @seed(history_seed + shard)
    @settings(max_examples=histories, deadline=None, derandomize=False, print_blob=True, phases=PHASES)
    @given(HISTORIES)
    def holds(history: History) -> None:
        note(f"shard {shard} of --history-seed {history_seed}")
        broken = play(history)
        assert not broken, "\n".join(broken)

    holds()
