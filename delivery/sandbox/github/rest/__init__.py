"""GitHub's REST routes, one file per chapter of its reference (https://docs.github.com/rest)."""

from __future__ import annotations

from delivery.sandbox.github.call import Routes
from delivery.sandbox.github.rest import (
    checks,
    commits,
    contents,
    deployments,
    git_data,
    hooks,
    issues,
    meta,
    pulls,
    repositories,
    reviews,
    statuses,
)

#: Files that are no part of the REST API.
FILES: Routes = contents.FILES
#: The longer path of two that could match stands first: a branch's name may hold slashes.
ROUTES: Routes = [
    *meta.ROUTES,
    *statuses.ROUTES,
    *checks.ROUTES,
    *commits.ROUTES,
    *contents.ROUTES,
    *git_data.ROUTES,
    *deployments.ROUTES,
    *reviews.ROUTES,
    *pulls.ROUTES,
    *issues.ROUTES,
    *hooks.ROUTES,
    *repositories.ROUTES,
]
