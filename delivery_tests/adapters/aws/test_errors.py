"""botocore's exceptions become the house's: the right kind, a next action, nothing secret."""

from __future__ import annotations

import traceback

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError

from delivery.adapters.aws.errors import translate, translated
from delivery.errors import (
    ConfigurationError,
    ConflictError,
    DeliveryError,
    NotFoundError,
    ProviderError,
    UnavailableError,
)


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    """An answer of AWS's to UpdateService."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "UpdateService")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused("ThrottlingException"), UnavailableError),
        (refused("Throttling"), UnavailableError),
        (refused("SlowDown", status=503), UnavailableError),
        (refused("RequestLimitExceeded"), UnavailableError),
        (refused("PriorRequestNotComplete"), UnavailableError),
        (refused("Whatever", status=502), UnavailableError),
        (refused("Whatever", status=429), UnavailableError),
        (refused("KMSInternalException", status=500), UnavailableError),
        (boto.ReadTimeoutError(endpoint_url="http://aws"), UnavailableError),
        (boto.ConnectTimeoutError(endpoint_url="http://aws"), UnavailableError),
        (boto.EndpointConnectionError(endpoint_url="http://aws"), UnavailableError),
        (boto.ConnectionClosedError(endpoint_url="http://aws"), UnavailableError),
        (boto.WaiterError("w", "Max attempts exceeded", {}), UnavailableError),
        (boto.WaiterError("w", "Waiter encountered a terminal failure state", {}), ProviderError),
        (boto.SSLError(endpoint_url="https://aws", error="certificate"), ProviderError),
        (boto.NoCredentialsError(), ProviderError),
        (refused("ExpiredTokenException"), ProviderError),
        (refused("AccessDeniedException"), ProviderError),
        (refused("InvalidParameterException"), ProviderError),
        (refused("PreconditionFailed", status=412), ConflictError),
        (refused("ConditionalRequestConflict", status=409), ConflictError),
        (refused("ClusterNotFoundException"), NotFoundError),
        (refused("TargetGroupNotFound"), NotFoundError),
        (refused("NoSuchBucket", status=404), NotFoundError),
        (refused("404", status=404), NotFoundError),
        (boto.NoRegionError(), ConfigurationError),
        (boto.ProfileNotFound(profile="nobody"), ConfigurationError),
    ],
    ids=lambda v: getattr(v, "__name__", "") or type(v).__name__,
)
def test_each_failure_has_its_kind(
    error: ClientError | boto.BotoCoreError, kind: type[DeliveryError]
) -> None:
    """What may pass, what is missing, what changed and what is refused are different things."""
    found = translate(error, "The service could not be updated")
    assert type(found) is kind
    assert found.what == "The service could not be updated" and found.why and found.hint


def test_a_denied_action_is_named() -> None:
    """The IAM action to allow is in the error and in its hint."""
    said = "User: arn:aws:iam::1:user/a is not authorized to perform: ecs:UpdateService on resource: x"
    found = translate(refused("AccessDeniedException", said), "The service could not be updated")
    assert "ecs:UpdateService" in found.why and "ecs:UpdateService" in found.hint
    assert "UpdateService" in translate(refused("AccessDenied", "no", 403), "w").why


@pytest.mark.parametrize(
    "message",
    [
        "The Canonical String should have been 'x-amz-security-token:hush'",
        "Credential=hush/20260101/eu-central-1",
        "X-Amz-Security-Token=hush",
        "GET https://bucket/key?X-Amz-Signature=hush&x=hush",
        "Encoded authorization failure message: hush",
        "key AKIAHUSH12345678HUSH is unknown",
        "the secret: hush",
    ],
)
@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidParameterException", "AccessDenied", "X"])
def test_no_secret_gets_out(code: str, message: str) -> None:
    """Whatever AWS repeats of a request, tokens and signatures are not told, in no part of the traceback."""
    with pytest.raises(DeliveryError) as told, translated("It failed"):
        raise refused(code, message)
    assert "hush" not in "".join(traceback.format_exception(told.value)).lower()


def test_a_faulty_request_does_not_tell_its_values() -> None:
    """A request that botocore refuses may hold a container's environment: only the field's name is told."""
    report = (
        "Parameter validation failed:\nInvalid type for parameter env.X, value: hush, type: <class 'int'>"
    )
    found = translate(boto.ParamValidationError(report=report), "It failed")
    assert "hush" not in str(found) and "env.X" in found.why


def test_other_exceptions_are_left_alone() -> None:
    """A fault of ours is not dressed up as one of AWS's."""
    with pytest.raises(KeyError), translated("It failed"):
        raise KeyError("ours")
