"""The session: clients as the installation's environment says, made once, safe for threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from delivery.adapters.aws.session import ATTEMPTS, Aws
from delivery.errors import ConfigurationError

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "hush"}


def endpoint(client: Any) -> str:
    """Where a client would ask."""
    return str(client.meta.endpoint_url)


def test_a_client_is_made_once() -> None:
    """Twenty threads that ask at once get the same client."""
    aws, found = Aws("eu-central-1", environment=KEYS), []
    threads = [threading.Thread(target=lambda: found.append(aws.client("ecs"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20 and len({id(client) for client in found}) == 1


def test_calls_are_bounded() -> None:
    """Every client retries a bounded number of times, in mode `standard`, and waits a bounded time."""
    config = Aws("eu-central-1", environment=KEYS).client("ecs").meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": ATTEMPTS}
    assert 0 < config.connect_timeout <= 10 and 0 < config.read_timeout <= 60


def test_the_installations_environment_names_the_endpoint() -> None:
    """A service's own endpoint comes before the general one; without one it is AWS itself."""
    general = {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2"}
    aws = Aws("eu-central-1", environment=general)
    assert endpoint(aws.client("ecs")) == "http://127.0.0.1:1"
    assert endpoint(aws.client("s3")) == "http://127.0.0.1:2"
    assert endpoint(Aws("eu-central-1", environment=KEYS).client("ecs")) == (
        "https://ecs.eu-central-1.amazonaws.com"
    )
    ignored = {**general, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert "amazonaws.com" in endpoint(Aws("eu-central-1", environment=ignored).client("ecs"))


def test_an_endpoint_of_ones_own_comes_first() -> None:
    """The argument overrides the environment."""
    aws = Aws("eu-central-1", "http://127.0.0.1:3", {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert endpoint(aws.client("ecs")) == "http://127.0.0.1:3"


def test_no_region_is_told_with_the_setting() -> None:
    """Without a region anywhere the error says what to set."""
    with pytest.raises(ConfigurationError, match=r"no AWS region is set.*AWS_REGION"):
        Aws("", environment=KEYS).client("ecs")


def test_a_profile_that_does_not_exist_is_told() -> None:
    """A profile nobody configured is a wrong setting, told when the first client is made."""
    aws = Aws("eu-central-1", environment={"AWS_PROFILE": "no-such-profile-here"})
    with pytest.raises(ConfigurationError, match="no-such-profile-here"):
        aws.client("ecs")


def test_no_secret_is_shown() -> None:
    """A session may stand in a log or a traceback."""
    assert "hush" not in repr(Aws("eu-central-1", environment=KEYS))
