"""What is shown of the routes people are told by."""

from __future__ import annotations

import pytest

from delivery.adapters.masking import hidden
from delivery.adapters.notify import masked


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        ("slack://T0/B0/hunter2", "slack://***"),
        ("mailto://ada:hunter2@example.test", "mailto://***"),
        ("json://example.test/hunter2?token=hunter2", "json://***"),
        ("hunter2", "route://***"),
        ("hunter2 hunter2://x", "route://***"),
        ("sns://AKIA/hunter2/us-east-1/topic", "sns://***"),
        (
            "sns://arn:aws:sns:eu-central-1:123456789012:web",
            "sns://arn:aws:sns:eu-central-1:123456789012:web",
        ),
    ],
)
def test_a_route_shows_its_scheme_and_nothing_else(route: str, shown: str) -> None:
    """Every part of such a URL may be a token; a topic's name is none."""
    assert masked(route) == shown


@pytest.mark.parametrize(
    "line",
    [
        'OperationalError: connection to "postgres://app:hunter2/x@db:5432/web" failed',
        "redis://:hunter2@cache:6379/0 refused",
        "DB_PASSWORD=hunter2 is wrong",
        "{'user': 'app', 'password': 'hunter2'}",
        '{"apiKey": "hunter2", "port": 5432}',
        "Access denied (using password: hunter2)",
        "GET /?token=hunter2&page=1 HTTP/1.1",
        "Authorization: Bearer hunter2hunter2",
        "Authorization: Basic hunter2hunter2==",
        "signed by AKIAhunter2".replace("hunter2", "HUNTER2HUNTER2"),
        "pushed with ghp_hunter2hunter2hunter2hunter2",
        "jwt eyJhunter2hunter2.hunter2hunter2.hunter2",
    ],
)
def test_a_log_line_is_told_without_its_secret(line: str) -> None:
    """The last words of a failed task reach people and the ledger: no password, key or token does."""
    assert "hunter2" not in hidden(line).lower() and "[hidden]" in hidden(line)


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: no database at db:5432, tried http://db.internal:5432/health",
        "KeyError: 'password'",
        "the secret of a good start: sleep 3, then retry",
        "listening on http://0.0.0.0:8080, user ada@example.test",
    ],
)
def test_a_log_line_without_a_secret_stays_readable(line: str) -> None:
    """What is masked for nothing is a cause that nobody is told."""
    assert hidden(line) == line
