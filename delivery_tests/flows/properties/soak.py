"""Plays random histories for as long as it takes: `python -m delivery_tests.flows.properties.soak --help`.

Each has a number; number and seed are all it takes to play it again. A history that breaks a promise is made
as small as it goes and shown with its story; the others are played on. It ends with one line of figures, and
with exit code 1 if anything was found.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty
from typing import Any

from delivery_tests.flows.properties.generate import rolled
from delivery_tests.flows.properties.minimise import minimised, outcome
from delivery_tests.flows.properties.quick import hurry
from delivery_tests.flows.properties.stage import Play

COMMAND = "python -m delivery_tests.flows.properties.soak"
#: Histories between two reports of one process, and seconds between two lines of progress.
REPORT, EVERY = 100, 10.0
#: Counterexamples after which it is enough.
ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Found:
    """A history that breaks a promise: its number, and as text itself made small, what broke, its story."""

    number: int
    history: str
    broken: tuple[str, ...]


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    asked = _parser().parse_args(arguments)
    seed = asked.seed or secrets.randbits(32)
    hurry()
    if asked.number is not None:
        return _again(seed, asked.number)
    return _all(seed, asked.start, asked.histories, asked.processes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--histories", type=int, default=1_000_000, help="how many (default: a million)")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count(), help="side by side")
    parser.add_argument("--seed", type=int, default=0, help="0: somewhere new")
    parser.add_argument("--start", type=int, default=0, help="the number of the first one")
    parser.add_argument("--number", type=int, help="play only this one, and tell its story")
    return parser


def _again(seed: int, number: int) -> int:
    """One history and its story."""
    history = rolled(seed, number)
    told = outcome(history, story=True)
    _say(str(history), *told)
    broken = outcome(history)
    if broken:
        _show(seed, _found(number, history))
    _say(f"{'breaks a promise' if broken else 'breaks no promise'}: number {number} of seed {seed}")
    return 1 if broken else 0


def _all(seed: int, start: int, histories: int, processes: int) -> int:
    """Every history, on several processes, with progress."""
    queue: Any = multiprocessing.Queue()
    shares = [range(start + n, start + histories, processes) for n in range(processes)]
    workers = [multiprocessing.Process(target=_work, args=(seed, s, queue), daemon=True) for s in shares]
    for worker in workers:
        worker.start()
    began, told, figures, found = time.monotonic(), 0.0, Counter[str](), list[Found]()
    _say(f"soak: {histories:,} histories of seed {seed} on {processes} processes")
    for news in _news(queue, workers):
        if isinstance(news, Found):
            found.append(news)
            _show(seed, news)
        else:
            figures.update(news)
        spent = time.monotonic() - began
        if spent - told > EVERY:
            told = spent
            _say(_progress(figures, histories, spent, len(found)))
        if len(found) >= ENOUGH:
            break
    for worker in workers:
        worker.terminate()
    dead = [worker for worker in workers if worker.exitcode not in (0, None)] and len(found) < ENOUGH
    _say(_ended(seed, figures, time.monotonic() - began, processes, found))
    return 1 if found or dead or figures["histories"] < histories else 0


def _news(queue: Any, workers: list[multiprocessing.Process]) -> Iterator[Counter[str] | Found]:
    """What the workers report, until all have ended."""
    while True:
        try:
            yield queue.get(timeout=1.0)
        except Empty:
            if not any(worker.is_alive() for worker in workers):
                return


def _work(seed: int, numbers: range, queue: Any) -> None:
    """One process's share."""
    outcome(rolled(seed, 0))
    gc.collect()
    gc.freeze()  # what is loaded by now stays
    figures: Counter[str] = Counter()
    for number in numbers:
        history = rolled(seed, number)
        try:
            one = Play(history)
            broken: list[str] = one.to_the_end()
            figures.update(
                histories=1, calls=one.world.faulty.number, writes=one.world.ledger.writes,
                actions=len(one.world.watched.effects),
            )  # fmt: skip
        except Exception as error:
            broken = [f"crash: {type(error).__name__}"]
            figures.update(histories=1)
        if broken:
            queue.put(_found(number, history))
        if figures["histories"] >= REPORT:
            queue.put(figures)
            figures = Counter()
    queue.put(figures)


def _found(number: int, history: Any) -> Found:
    small = minimised(history)
    return Found(number, str(small), tuple(outcome(small)))


def _show(seed: int, found: Found) -> None:
    """A counterexample, and how to play it again."""
    _say(
        f"\nA promise is broken by number {found.number} of seed {seed}, in small:",
        f"  {found.history}",
        *(f"  {line}" for line in found.broken),
        f"  again: {COMMAND} --seed {seed} --number {found.number}",
        "  to keep it: play(<the history above>) in flows/test_findings.py\n",
    )


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _progress(figures: Counter[str], histories: int, spent: float, found: int) -> str:
    done = figures["histories"]
    left = spent / done * (histories - done) if done else 0.0
    broken = f"{found} broke a promise" if found else "none broke a promise"
    return (
        f"  {done:>9,} of {histories:,} ({done / histories:.0%}), {done / spent:.0f}/s, "
        f"{broken}, {left / 60:.0f} min left"
    )


def _ended(seed: int, figures: Counter[str], spent: float, processes: int, found: list[Found]) -> str:
    done = figures["histories"]
    broken = f"{len(found)} broke a promise" if found else "no promise broken"
    return (
        f"soak: {done:,} histories of seed {seed} in {spent / 60:.1f} min ({done / max(spent, 0.1):.0f}/s on "
        f"{processes} processes): {figures['calls']:,} calls, {figures['writes']:,} ledger writes, "
        f"{figures['actions']:,} actions with an effect; {broken}"
    )


if __name__ == "__main__":
    sys.exit(main())
