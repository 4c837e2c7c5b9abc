"""The composition: every port is there, and making them asks nobody."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from delivery.adapters.clock import SystemClock
from delivery.errors import ConfigurationError
from delivery.ports import World
from delivery.settings import Settings
from delivery.world import build_world
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.cloud import new_bucket, new_key
from delivery_tests.fakes import sample_contract

PORTS = tuple(name for name, port in vars(World).items() if isinstance(port, property))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every attempt to connect or to look a name up fails the test."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield


@pytest.mark.usefixtures("no_network")
def test_a_world_is_made_without_asking_anybody() -> None:
    """No network and no credentials are needed for any port, the ones of an environment included."""
    world = build_world(Settings.read({"DELIVERY_BUCKET": "acme", "AWS_REGION": "eu-central-1"}))
    assert len(PORTS) == 12
    assert all(getattr(world, name) is getattr(world, name) is not None for name in PORTS)
    ports = world.environment(sample_contract(), {"COLOUR": "teal"})
    assert ports.target and ports.metrics and ports.prober


@pytest.mark.usefixtures("no_network")
def test_a_world_without_a_bucket_can_do_what_needs_none() -> None:
    """Only the ledger and the artifacts need the bucket, and they say how to get one."""
    world = build_world(Settings.read({}))
    for name in PORTS:
        if name in ("ledger", "artifacts"):
            with pytest.raises(ConfigurationError, match="DELIVERY_BUCKET"):
                getattr(world, name)
        else:
            assert getattr(world, name) is not None


def test_the_clock_tells_utc_and_does_not_wait_for_the_past() -> None:
    """The wall clock is aware and in UTC; a moment that has passed is no reason to sleep."""
    clock = SystemClock()
    now = clock.now()
    assert now.tzinfo is UTC and abs(now - datetime.now(UTC)) < timedelta(minutes=1)
    clock.sleep_until(now - timedelta(days=1))
    until = clock.now() + timedelta(milliseconds=30)
    clock.sleep_until(until)
    assert clock.now() >= until


@pytest.mark.sandbox
def test_the_settings_alone_say_where_the_world_is(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoint and credentials come from the settings, whatever this process's own environment says."""
    settings = Settings.read(
        {
            **sandbox.environment,
            "DELIVERY_BUCKET": new_bucket(sandbox),
            "DELIVERY_SIGNING_KEY": new_key(sandbox),
        }
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    world = build_world(settings)
    stored = world.ledger.store(world.ledger.load("web", "staging").record, None)
    assert world.ledger.load("web", "staging") == stored
    world.artifacts.put("k", b"v")
    assert world.artifacts.get("k") == b"v"
    assert world.signer.verify(b"x", world.signer.sign(b"x"))
    assert isinstance(world.alarms.firing(), tuple)
