"""GitHub's refusals: a status, a message, and often a list of what is wrong.

Source: GitHub REST API, "Troubleshooting the REST API"
(https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOCS = "https://docs.github.com/rest"


class GitHubError(Exception):
    """One refusal. `errors` says field by field what is wrong; `page` is the path of its documentation."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[Any] | None = None,
        page: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors
        self.page, self.headers = page, dict(headers or {})

    def body(self) -> dict[str, Any]:
        """What the client reads."""
        told: dict[str, Any] = {"message": self.message}
        if self.errors is not None:
            told["errors"] = self.errors
        return {**told, "documentation_url": f"{DOCS}{self.page}", "status": str(self.status)}


def not_found(message: str = "Not Found") -> GitHubError:
    """It does not exist, or the caller may not know that it does: GitHub says the same to both."""
    return GitHubError(404, message)


def invalid(resource: str, field: str, message: str = "", code: str = "custom") -> GitHubError:
    """422 for one field of one resource. Codes: missing, missing_field, invalid, already_exists, custom."""
    entry = {"resource": resource, "code": code, "field": field}
    return GitHubError(422, "Validation Failed", [{**entry, "message": message} if message else entry])


def custom(resource: str, message: str) -> GitHubError:
    """422 for a resource as a whole."""
    return GitHubError(
        422, "Validation Failed", [{"resource": resource, "code": "custom", "message": message}]
    )


def not_supplied(field: str) -> GitHubError:
    """422 for a body without a field it must have."""
    return GitHubError(422, f'Invalid request.\n\n"{field}" wasn\'t supplied.')


def unknown_commit(ref: str) -> GitHubError:
    """422 for what names no commit."""
    return GitHubError(422, f"No commit found for SHA: {ref}")


def empty() -> GitHubError:
    """409 for a repository nobody has pushed to."""
    return GitHubError(409, "Git Repository is empty.")
