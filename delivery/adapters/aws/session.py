"""One boto3 session for the whole installation, with clients that are made once and shared by threads."""

from __future__ import annotations

import hashlib
import json
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import boto3
from botocore.config import Config

from delivery.adapters.aws.errors import OutOfTimeError, translated

#: Seconds to connect and to wait for an answer, and how often a call is tried in all. Source: the boto3
#: guide's page on retries, mode `standard`: throttling, 5xx and lost connections, with jittered back-off of
#: at most 1, 2 and 4 s. So one call takes at most 4 * (3 + 10) + 7 = 59 s, less than the deploy lock lasts.
CONNECT_TIMEOUT, READ_TIMEOUT, ATTEMPTS = 3, 10, 4
#: Seconds after which nothing more is begun of one piece of work: a write of the ledger, a look, or an action
#: with all its calls. With the last answer it takes at most 25 + 13 = 38 s. An action begins with at least
#: 30 s of the deploy lock left (`Session.safe`): its last request leaves before anybody else may act.
PROMPT = 25.0

#: What identifies nobody and is nobody's business; the key's id goes with them.
_SECRETS = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"}


class Aws:
    """AWS in one region. Making it asks nobody; credentials are looked for at the first call.

    `environment` (what configures the installation) is asked first for credentials, profile and endpoints,
    then botocore looks where it always looks: configuration files, container role, instance role.
    `endpoint` overrides them all.
    """

    def __init__(
        self, region: str, endpoint: str | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.region = region
        self._endpoint = endpoint
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, int], Any] = {}
        self._end: ContextVar[float] = ContextVar("end", default=math.inf)

    def __repr__(self) -> str:
        return f"Aws({self.region!r}, {self._endpoint!r})"

    def namespace(self) -> str:
        """A short name for endpoints, region and whose credentials these are, of which it tells nothing.

        What one set of credentials may read is not for another.
        """
        told = {
            name: value
            for name, value in self._environment.items()
            if (name.startswith("AWS_") or name == "HOME") and name not in _SECRETS
        }
        whole = json.dumps([self.region, self._endpoint, sorted(told.items())])
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Begin no request, and none again, later than that from now; UnavailableError instead.

        It holds for this thread's calls inside the block. Of two such blocks the earlier end counts.
        """
        end = time.monotonic() + seconds
        token = self._end.set(min(end, self._end.get()))
        try:
            yield
        finally:
            self._end.reset(token)

    def client(self, service: str, attempts: int = ATTEMPTS) -> Any:
        """The client of one service, e.g. `ecs`; it may be used by several threads at once.

        `attempts=1` is for what must not be repeated blindly after a lost answer.
        Raises ConfigurationError when there is no region or no such profile.
        """
        key = (service, attempts)
        with self._lock:  # making a client is not thread-safe, using one is
            if key not in self._clients:
                with translated(f"AWS ({service}) cannot be used"):
                    self._clients[key] = self._make(service, attempts)
            return self._clients[key]

    def _make(self, service: str, attempts: int) -> Any:
        if self._session is None:
            self._session = boto3.Session(region_name=self.region or None, **self._identity())
        made: Any = self._session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._endpoint_of(service),
            config=Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                max_pool_connections=25,
                user_agent_extra="delivery",
            ),
        )
        made.meta.events.register("before-send", self._check_time)
        return made

    def _check_time(self, **_: object) -> None:
        """Before each attempt: botocore asks nothing and tries no more when this raises."""
        if time.monotonic() > self._end.get():
            raise OutOfTimeError

    def _identity(self) -> dict[str, Any]:
        """Credentials or profile the installation's environment names; keys come before a profile."""
        found: dict[str, Any] = {
            argument: self._environment[name]
            for argument, name in (
                ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
                ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
                ("aws_session_token", "AWS_SESSION_TOKEN"),
            )
            if self._environment.get(name)
        }
        if not {"aws_access_key_id", "aws_secret_access_key"} <= found.keys():
            profile = self._environment.get("AWS_PROFILE")
            return {"profile_name": profile} if profile else {}
        return found

    def _endpoint_of(self, service: str) -> str | None:
        """As AWS's SDK guide has it ("Service-specific endpoints"): the service's own name comes first."""
        if self._endpoint:
            return self._endpoint
        if self._environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
            return None
        names = {"elbv2": "ELASTIC_LOAD_BALANCING_V2", "application-autoscaling": "APPLICATION_AUTO_SCALING"}
        own = names.get(service, service.upper().replace("-", "_"))
        return self._environment.get(f"AWS_ENDPOINT_URL_{own}") or self._environment.get("AWS_ENDPOINT_URL")
