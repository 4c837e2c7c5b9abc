"""Stateful fakes of every port on virtual time. They behave, and tests look at what became of them."""

from delivery_tests.fakes.build import FakeBuilder, FakeGates, FakeRegistry, FakeSigner
from delivery_tests.fakes.clock import EPOCH, VirtualClock
from delivery_tests.fakes.metrics import FakeAlarms, FakeMetrics, FakeProber
from delivery_tests.fakes.outside import FakeDns, FakeNotifier, FakePlanner
from delivery_tests.fakes.samples import (
    FAST_LIMITS,
    FAST_RULES,
    sample_commit,
    sample_contract,
    sample_environment,
    sample_image,
    sample_pushed,
    sample_release,
    sample_service,
    sample_sha,
    sample_snapshot,
    with_environment,
)
from delivery_tests.fakes.slots import Behaviour, Behaviours
from delivery_tests.fakes.source import FakeSource
from delivery_tests.fakes.stores import MemoryArtifacts, MemoryLedger
from delivery_tests.fakes.target import FakeTarget
from delivery_tests.fakes.wire import Killed, Wire, unavailable
from delivery_tests.fakes.world import FakeEnvironment, FakeWorld

__all__ = [
    "EPOCH",
    "FAST_LIMITS",
    "FAST_RULES",
    "Behaviour",
    "Behaviours",
    "FakeAlarms",
    "FakeBuilder",
    "FakeDns",
    "FakeEnvironment",
    "FakeGates",
    "FakeMetrics",
    "FakeNotifier",
    "FakePlanner",
    "FakeProber",
    "FakeRegistry",
    "FakeSigner",
    "FakeSource",
    "FakeTarget",
    "FakeWorld",
    "Killed",
    "MemoryArtifacts",
    "MemoryLedger",
    "VirtualClock",
    "Wire",
    "sample_commit",
    "sample_contract",
    "sample_environment",
    "sample_image",
    "sample_pushed",
    "sample_release",
    "sample_service",
    "sample_sha",
    "sample_snapshot",
    "unavailable",
    "with_environment",
]
