"""botocore's exceptions in the house's words: translated once, here.

AWS's own messages are kept where they help. Those of refused signatures are not: they repeat the signed
request, session token included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from delivery.errors import (
    ConfigurationError,
    ConflictError,
    DeliveryError,
    NotFoundError,
    ProviderError,
    UnavailableError,
)

#: Error codes that may pass by themselves. Source: "Retries", boto3 guide, and the services' common errors.
_PASSING = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|SlowDown|PriorRequestNotComplete"
    r"|RequestTimeout|BandwidthLimitExceeded|ProvisionedThroughputExceeded"
    r"|^(Internal(Error|Failure|ServerError)|ServiceUnavailable|ServerException|KMSInternal)",
)
_CONFLICT = {"PreconditionFailed", "ConditionalRequestConflict", "412"}
_NOT_FOUND = re.compile(r"NotFound(Exception|Fault)?$|^NoSuch|^404$")
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "403"}
_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "AuthFailure",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "IncompleteSignatureException",
}
_SKEWED = {"RequestTimeTooSkewed", "RequestInTheFuture"}
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.NoAuthTokenError,
    boto.UnauthorizedSSOTokenError,
)
_LOG_IN = "Log in to AWS (e.g. `aws sso login`) or set AWS_PROFILE, then retry."
#: Key ids, tokens and signatures, wherever AWS repeats them.
_SECRET = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{12,}|(?i:(security-token|signature|credential|secret\w*|password)\s*[=:]\s*\S+)"
    r"|(?i:authorization failure message:\s*\S+)|\?[^\s\"']+"
)


class OutOfTimeError(BotoCoreError):
    """The time for this piece of work is over before the request was sent (`Aws.within`)."""

    fmt = "its time was over before it was asked for"


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Let only house errors out of the block. `what` says what could not be done, for people."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        # The original would be printed with its message, which may hold a signed request.
        raise translate(error, what) from None


def translate(error: ClientError | BotoCoreError, what: str) -> DeliveryError:
    """The house's error for one of botocore's."""
    if isinstance(error, ClientError):
        return _refused(error, what)
    if isinstance(error, _NO_CREDENTIALS):
        return ProviderError(what, "AWS credentials are missing or have expired", _LOG_IN)
    if isinstance(error, boto.NoRegionError):
        return ConfigurationError(what, "no AWS region is set", "Set AWS_REGION.")
    if isinstance(error, boto.ProfileNotFound):
        return ConfigurationError(what, _clean(str(error)), "Set AWS_PROFILE to one `aws configure` knows.")
    if isinstance(error, boto.SSLError):
        return ProviderError(what, _clean(str(error)), "Check the machine's CA certificates (AWS_CA_BUNDLE).")
    if isinstance(error, OutOfTimeError):
        return UnavailableError(what, str(error), "AWS answers slowly; it is tried again.")
    if isinstance(error, (boto.HTTPClientError, boto.ConnectionError)):
        return UnavailableError(what, _clean(str(error)), "Check the network and AWS_ENDPOINT_URL, or retry.")
    if isinstance(error, boto.WaiterError):
        return _waited(error, what)
    if isinstance(error, boto.ParamValidationError):
        # The message repeats the values, which may be a container's environment.
        why = "the request was not valid: " + re.sub(r"value: .*?, (type|valid)", r"\1", str(error))
        return ProviderError(what, _clean(why), "This is a fault of delivery: please report it.")
    return ProviderError(what, _clean(str(error)), "Retry; the AWS documentation names the cause.")


def code_of(error: ClientError) -> str:
    """AWS's error code, e.g. `NoSuchBucket`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(error: ClientError, what: str) -> DeliveryError:
    """An answer that AWS gave: by its code, then by its HTTP status."""
    code, status = code_of(error), int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = _clean(str(error.response.get("Error", {}).get("Message", "")))
    why = f"{error.operation_name} answered {code or status}" + (f", {said}" if said else "")
    if code in _CREDENTIALS:
        return ProviderError(what, f"AWS does not accept the credentials ({code})", _LOG_IN)
    if code in _SKEWED:
        return ProviderError(what, "this machine's clock is wrong", "Set the clock (NTP), then retry.")
    if code in _CONFLICT:
        return ConflictError(what, "it changed since it was last looked at", "Look again and retry.")
    if _PASSING.search(code) or status >= 500 or status == 429:
        return UnavailableError(what, why, "Retry; it may pass.")
    if code in _DENIED:
        action = _action(error, said)
        return ProviderError(
            what, f"AWS does not allow {action}",
            f"Allow {action} for the role or user in use; infra/modules/deploy-role lists what is needed.",
        )  # fmt: skip
    if _NOT_FOUND.search(code):
        return NotFoundError(what, why, "Check the name, the region and the account.")
    return ProviderError(what, why, "Look the code up in the service's API reference.")


def _action(error: ClientError, said: str) -> str:
    """The IAM action: AWS's message names it mostly (`… to perform: ecs:UpdateService on …`)."""
    named = re.search(r"to perform:? (\S+?:\w+)", said)
    return named.group(1) if named else error.operation_name


def _waited(error: boto.WaiterError, what: str) -> DeliveryError:
    reason = str(error.kwargs.get("reason", ""))
    if "Max attempts exceeded" in reason:
        return UnavailableError(what, "it did not happen in the time allowed", "Retry; it may pass.")
    return ProviderError(what, _clean(reason), "Look at the resource in the AWS console.")


def _clean(text: str) -> str:
    """On one line, not too long, nothing secret."""
    return _SECRET.sub("[hidden]", " ".join(text.split()))[:400]
