"""How many histories the property tests play, and from which seed."""

from __future__ import annotations

import secrets

import pytest

#: In an ordinary run of the suite; `make soak` plays a million.
HISTORIES = 20_000
#: Where the suite begins: a red run tells of a change, not of bad luck. `make soak` begins somewhere new.
SEED = 20_261_124
#: Histories of one test, so that several workers share them and none keeps too many in mind.
SHARD = 1250


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the property tests; known when pytest is given a path in this folder."""
    group = parser.getgroup("histories")
    group.addoption("--histories", type=int, default=HISTORIES, help="random histories to play in all")
    group.addoption("--history-seed", type=int, default=SEED, help="where to begin; 0: somewhere new")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per shard."""
    if "shard" in metafunc.fixturenames:
        wanted: int = metafunc.config.getoption("histories", HISTORIES)
        metafunc.parametrize("shard", range(max(1, -(-wanted // SHARD))))


@pytest.fixture
def histories(request: pytest.FixtureRequest) -> int:
    """How many histories one shard plays."""
    wanted: int = request.config.getoption("histories", HISTORIES)
    return min(SHARD, wanted)


@pytest.fixture
def history_seed(request: pytest.FixtureRequest) -> int:
    """The seed to begin with."""
    wanted: int = request.config.getoption("history_seed", SEED)
    return wanted or secrets.randbits(32)
