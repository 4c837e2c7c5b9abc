"""Routes that are named in the environment, so that no token stands in a file."""

from __future__ import annotations

from delivery.adapters.aws.session import Aws
from delivery.adapters.notify import Notifications, masked
from delivery.ports import Notice

NOTICE = Notice("live", "web", "production", "live", "abc is live")
ROUTE = "{{ env.ROUTE }}"


def test_a_named_route_is_looked_up_when_something_is_sent() -> None:
    """The value is used, and only the name of it ever shows: here it is no URL, and that is told."""
    sender = Notifications(Aws("us-east-1"), {"ROUTE": "xoxb-token"})
    (problem,) = sender.send([ROUTE], NOTICE)
    assert problem == f"{ROUTE}: this is no URL of a notification service"


def test_a_name_that_is_not_set() -> None:
    """A route whose variable is missing is a problem that names the variable."""
    (problem,) = Notifications(Aws("us-east-1")).send([ROUTE], NOTICE)
    assert problem == f"{ROUTE}: the environment variable ROUTE is not set"
    assert masked(ROUTE) == ROUTE and masked("slack://a/b") == "slack://***"
