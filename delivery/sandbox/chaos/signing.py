"""Requests signed with a wrong clock.

Sources: IAM user guide, "Troubleshooting Signature Version 4 requests" (five minutes); Amazon S3 API
reference, "Error responses" (RequestTimeTooSkewed, 15 minutes); Amazon EC2 API reference, "Error codes".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from delivery.sandbox.chaos.wire import Answer, error, protocol_of
from delivery.sandbox.clock import CLOCK

#: Seconds by which a request's time may differ from the service's.
TOLERANCE, S3_TOLERANCE = 300, 900
_FORM = "%Y%m%dT%H%M%SZ"


def too_skewed(environ: dict[str, Any], times: tuple[float, ...] = ()) -> Answer | None:
    """The refusal of a request whose `X-Amz-Date` is too far from AWS's time; None when it is near."""
    try:
        signed = datetime.strptime(environ.get("HTTP_X_AMZ_DATE", ""), _FORM).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    if "HTTP_AUTHORIZATION" not in environ:
        return None  # presigned: it has an expiry of its own
    protocol = protocol_of(environ)
    limit = S3_TOLERANCE if protocol == "s3" else TOLERANCE
    now = min(times or CLOCK.signed(), key=lambda time: abs(time - signed))
    if abs(now - signed) <= limit:
        return None
    if protocol == "s3":
        text = "The difference between the request time and the current time is too large."
        return error(environ, 403, "RequestTimeTooSkewed", text)
    if protocol == "ec2":
        return error(environ, 400, "RequestExpired", "Request has expired.")
    code, status = (
        ("SignatureDoesNotMatch", 403) if protocol == "query" else ("InvalidSignatureException", 400)
    )
    return error(environ, status, code, _sentence(signed, now, limit))


def _sentence(signed: float, now: float, limit: int) -> str:
    """AWS's own: both times, and the limit."""
    said, here = _told(signed), _told(now)
    if signed < now:
        return f"Signature expired: {said} is now earlier than {_told(now - limit)} ({here} - 5 min.)"
    return f"Signature not yet current: {said} is still later than {_told(now + limit)} ({here} + 5 min.)"


def _told(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(_FORM)
