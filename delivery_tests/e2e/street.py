"""A town with people in it: they push, and wait until a commit has come to its end."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import requests

from delivery.cli.demo.story import Edit
from delivery.core.ledger import ReleaseRecord
from delivery_tests.e2e.town import Plane, Town, until

#: Seconds that one delivery may take, with everything that is killed in it, on a busy machine.
PATIENCE = 1200.0
OVER = ("SUCCESS", "FAILURE", "CANCELED")


@dataclass
class Street:
    """The town, its first control plane, and the commits under way."""

    town: Town
    plane: Plane
    stack: ExitStack

    def push(self, service: str, edit: Edit) -> str:
        """`git push`; the commit."""
        return self.town.copies[service].push(edit.subject, edit.files).sha

    def await_end(self, service: str, sha: str, *planes: Plane) -> ReleaseRecord:
        """Until the commit has ended and no run of it is on its way any more."""
        until(lambda: self.town.ended(service, sha), PATIENCE, f"{service} {sha[:8]} ends")
        for plane in planes or (self.plane,):
            until(partial(over, plane, service, sha), PATIENCE, f"the runs of {service} {sha[:8]} are over")
        record = self.town.ended(service, sha)
        assert record is not None
        return record


def over(plane: Plane, service: str, sha: str) -> bool:
    """No run of the commit is on its way, and none will follow by itself. One that is down says nothing."""
    try:
        runs = plane.runs(service, sha)
    except requests.RequestException:
        return False
    ended = bool(runs) and all(run["status"] in OVER for run in runs)
    return ended and runs[-1]["tags"].get("dagster/will_retry") != "true"
