"""PyGithub, set up for a service that polls, and its errors in the house's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from github import Auth, Github, GithubException, GithubRetry
from github.GithubException import (
    BadCredentialsException,
    RateLimitExceededException,
    UnknownObjectException,
)

from delivery.errors import DeliveryError, NotFoundError, ProviderError, UnavailableError

#: Seconds for one answer; tries in all; and the longest wait for a rate limit: a sensor's tick has 60 s.
TIMEOUT, RETRIES, PATIENCE = 10, 3, 20.0
_TOKEN_HINT = (
    "Set GITHUB_TOKEN to a token that may read this repository's contents and write its commit statuses."
)


def connect(api_url: str, token: str) -> Github:
    """A client; asks nobody yet."""
    return Github(
        base_url=api_url.rstrip("/"),
        auth=Auth.Token(token) if token else None,
        timeout=TIMEOUT,
        retry=GithubRetry(
            total=RETRIES, backoff_factor=0.2, max_rate_limit_wait=PATIENCE, secondary_rate_wait=PATIENCE
        ),
        user_agent="delivery",
        seconds_between_requests=0,  # the sensor's own interval spaces them; writes keep GitHub's one second
        lazy=True,
    )


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Let only house errors out of the block. `what` says what could not be done, for people."""
    try:
        yield
    except (GithubException, requests.RequestException) as error:
        # The original may hold the request with its headers.
        raise translate(error, what) from None


def translate(error: GithubException | requests.RequestException, what: str) -> DeliveryError:
    """The house's error for one of PyGithub's or of the connection's."""
    if isinstance(error, requests.RequestException):
        return _unreachable(error, what)
    said = str(error.message or "").strip()[:300] or f"status {error.status}"
    if isinstance(error, BadCredentialsException) or error.status == 401:
        return ProviderError(what, "GitHub does not accept the token", _TOKEN_HINT)
    if isinstance(error, RateLimitExceededException) or error.status == 429:
        return UnavailableError(what, f"GitHub's rate limit is used up ({said})", "Retry after its reset.")
    if isinstance(error, UnknownObjectException) or error.status in (404, 409) or "No commit found" in said:
        # 409: the repository is empty.
        hint = "Check `repository` in the service's defs.yaml; without access GitHub says the same."
        return NotFoundError(what, f"GitHub says: {said}", hint)
    if error.status >= 500:
        return UnavailableError(what, f"GitHub answered {error.status}", "Retry; see githubstatus.com.")
    if error.status == 403:
        return ProviderError(what, f"GitHub does not allow it: {said}", _TOKEN_HINT)
    return ProviderError(
        what, f"GitHub answered {error.status}: {said}", "Look the answer up in GitHub's docs."
    )


def _unreachable(error: requests.RequestException, what: str) -> DeliveryError:
    if isinstance(error, requests.exceptions.SSLError):
        why = "the certificate of GitHub's API is not trusted here"
        return ProviderError(what, why, "Check the machine's CA certificates (REQUESTS_CA_BUNDLE).")
    if isinstance(error, requests.exceptions.RetryError):
        return UnavailableError(
            what, f"GitHub answered 5xx {RETRIES + 1} times", "Retry; see githubstatus.com."
        )
    why = (
        "GitHub's API did not answer"
        if isinstance(error, requests.Timeout)
        else "GitHub's API is not reachable"
    )
    return UnavailableError(what, why, "Check the network and GITHUB_API_URL, or retry.")
