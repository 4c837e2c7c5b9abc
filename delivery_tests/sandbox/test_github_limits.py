"""The sandbox's GitHub: who calls, and how often one may.

Source: GitHub REST API, "Authenticating to the REST API", "REST API endpoints for check runs",
"Rate limits for the REST API" (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import github
import pytest

from delivery.sandbox.github.callers import caller_of
from delivery.sandbox.github.errors import GitHubError
from delivery.sandbox.github.limits import RateLimits
from delivery_tests.sandbox.forge import APP, BOB, Forge, Project


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Forge]:
    """A GitHub whose quota nobody else uses."""
    made = Forge(tmp_path)
    yield made
    made.stop()


def test_the_hour_begins_with_the_first_request_and_ends() -> None:
    """So many requests in a window, none more; after its reset a new one begins."""
    time = [1000.0]
    limits = RateLimits(lambda: time[0])
    assert [limits.spend("ada", 2)[0] for _ in range(3)] == [True, True, False]
    assert limits.window("ada", 2).remaining == 0
    assert limits.spend("bob", 2)[0]  # everybody has his own
    time[0] += 3600
    allowed, window = limits.spend("ada", 2)
    assert (allowed, window.used, window.reset) == (True, 1, 8200.0)


def test_limits_that_were_set_are_told_and_cleared() -> None:
    """A caller's limit and everybody's hold until they are cleared; then GitHub's own do again."""
    limits = RateLimits(lambda: 0.0)
    limits.set_limit(1, "ada", 60)
    limits.set_limit(2)
    limits.set_secondary(1)
    assert limits.told() == {"ada": 1, "": 2}
    assert (limits.window("ada", 5000).limit, limits.window("bob", 5000).limit) == (1, 2)
    limits.clear()
    assert limits.told() == {} and limits.take_secondary() is None
    assert limits.window("ada", 5000).limit == limits.window("bob", 5000).limit == 5000


def test_what_was_not_modified_is_given_back() -> None:
    """A request that turns out to be free leaves the quota as it was."""
    limits = RateLimits(lambda: 0.0)
    limits.spend("ada", 5)
    assert limits.give_back("ada", 5).used == 0


def test_tokens_say_who_calls() -> None:
    """Bearer, token and Basic alike; malformed or unknown ones are bad credentials."""
    basic = base64.b64encode(b"x:bob-token").decode()
    assert caller_of("Bearer ada-token").login == "ada"
    assert caller_of("token ghp_whatever").login == "sandbox"
    assert caller_of(f"Basic {basic}").login == "bob"
    assert caller_of(None).login == ""
    for header in ("Bearer", "Bearer two words", "Bearer bad-token", "Basic !", "Digest x", "ada-token"):
        with pytest.raises(GitHubError) as refused:
            caller_of(header)
        assert (refused.value.status, refused.value.message) == (401, "Bad credentials")


def test_every_answer_says_how_many_requests_are_left(own: Forge) -> None:
    """limit, remaining, used, reset, resource; refusals count too, `GET /rate_limit` does not."""
    first = own.call("GET", "/user")
    assert first.headers["X-RateLimit-Limit"] == "5000"
    assert first.headers["X-RateLimit-Resource"] == "core"
    assert own.call("GET", "/repos/a/b").headers["X-RateLimit-Used"] == "2"
    core = own.call("GET", "/rate_limit").json()["resources"]["core"]
    assert (core["used"], core["remaining"]) == (2, 4998)
    assert own.call("GET", "/rate_limit").json()["rate"]["used"] == 2
    assert own.call("GET", "/user", token=BOB).headers["X-RateLimit-Used"] == "1"


def test_not_modified_costs_nothing_with_a_token(own: Forge) -> None:
    """A 304 leaves the quota as it is for whoever is known; an anonymous 304 counts."""
    own.project("acme/web").push("one")
    etag = own.call("GET", "/repos/acme/web").headers["ETag"]
    answer = own.call("GET", "/repos/acme/web", If_None_Match=etag)
    assert (answer.status_code, answer.headers["X-RateLimit-Used"]) == (304, "1")
    for used in ("1", "2"):
        stranger = own.call("GET", "/repos/acme/web", token="", If_None_Match=etag)
        assert stranger.headers["X-RateLimit-Used"] == used


def test_strangers_have_sixty_requests(own: Forge) -> None:
    """Without a token the address has 60 an hour, and the refusal says that a token has more."""
    own.project("acme/web")
    answers = [own.call("GET", "/repos/acme/web", token="") for _ in range(61)]
    assert [a.status_code for a in answers] == [200] * 60 + [403]
    assert answers[-1].json()["message"].startswith("API rate limit exceeded for 127.0.0.1.")


def test_a_used_up_quota_is_403_until_its_reset(own: Forge) -> None:
    """`remaining` is 0, nothing is done, and after the reset it goes on. A knob makes quotas small."""
    own.call("POST", "/_sandbox/rate_limit", {"limit": 2, "login": "ada", "seconds": 1})
    answers = [own.call("GET", "/user") for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 403]
    assert answers[2].headers["X-RateLimit-Remaining"] == "0"
    assert answers[2].json()["message"].startswith("API rate limit exceeded for user ID")
    assert own.call("GET", "/user", token=BOB).status_code == 200
    with pytest.raises(github.RateLimitExceededException):
        hub = github.Github(auth=github.Auth.Token("ada-token"), base_url=own.url, retry=None)
        own.call("POST", "/_sandbox/rate_limit", {"limit": 0, "login": "ada"})
        hub.get_user().login  # noqa: B018
    own.call("POST", "/_sandbox/rate_limit", {"limit": None, "login": "ada"})
    assert own.call("GET", "/user").status_code == 200


def test_a_secondary_limit_says_how_long_to_wait(own: Forge) -> None:
    """403 or 429 with `Retry-After`, although there is quota left."""
    own.call("POST", "/_sandbox/secondary_rate_limit", {"count": 1, "retry_after": 7, "status": 429})
    answer = own.call("GET", "/user")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["message"].startswith("You have exceeded a secondary rate limit")
    assert own.call("GET", "/user").status_code == 200


def test_bad_credentials_are_401_even_for_public_things(forge: Forge) -> None:
    """A wrong token is worse than none."""
    project = forge.project()
    assert project.call("GET", "", token="").status_code == 200
    answer = project.call("GET", "", token="bad-token")
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")
    assert project.call("POST", "/issues", {"title": "x"}, token="").json()["message"] == (
        "Requires authentication"
    )


def test_checks_are_for_apps(forge: Forge) -> None:
    """A person's token is refused, in the words for its kind; an App's installation may."""
    project = forge.project()
    body = {"name": "lint", "head_sha": project.push("one")}
    for token, message in (
        ("ghp_classic", "You must authenticate via a GitHub App."),
        ("github_pat_x", "Resource not accessible by personal access token"),
    ):
        for path in ("/check-runs", "/check-suites"):
            answer = project.call("POST", path, body, token=token)
            assert (answer.status_code, answer.json()["message"]) == (403, message)
    done = {**body, "status": "completed", "conclusion": "success"}
    project.post("/check-runs", done, token=APP)
    assert project.get("/commits/main/check-runs")["check_runs"][0]["conclusion"] == "success"


def test_everybody_may_ask_who_he_is(forge: Forge) -> None:
    """`GET /user` is the token's; permissions of a collaborator are told."""
    assert forge.call("GET", "/user").json()["login"] == "ada"
    project: Project = forge.project()
    assert project.get("/collaborators/ada/permission")["permission"] == "admin"
