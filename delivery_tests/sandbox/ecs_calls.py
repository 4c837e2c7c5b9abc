"""Calls of the ECS API as the service suites make them, and the ways they are refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

INVALID = "InvalidParameterException"


def refused(code: str, call: Any, **parameters: Any) -> str:
    """The sentence with which a call is refused; the code is the one that was expected."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(error["Message"])


def balancer(arn: str, name: str = "app", port: int = 8080) -> list[dict[str, Any]]:
    """loadBalancers with one target group."""
    return [{"targetGroupArn": arn, "containerName": name, "containerPort": port}]
