"""What a call must name: members that AWS's own description of a service calls required.

AWS's services check them before anything else ("1 validation error detected: Value null at 'roleArn' failed
to satisfy constraint: Member must not be null"); moto often fails with 500 instead, or takes the call. ECS,
Elastic Load Balancing and CloudWatch have rooms of their own here, which say it in these services' own words;
what they leave to moto is looked at late, when moto has failed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, StructureShape

_NULL = "Value null at '{}' failed to satisfy constraint: Member must not be null"
_EMPTY = "Value '' at '{}' failed to satisfy constraint: Member must have length greater than or equal to 1"
_ONE = "1 validation error detected: "
#: The code with which each service says so, and how its sentence begins.
_CODES = {
    "ssm": ("ValidationException", _ONE),
    "secretsmanager": ("ValidationException", _ONE),
    "kms": ("ValidationException", _ONE),
    "events": ("ValidationException", _ONE),
    "application-autoscaling": ("ValidationException", _ONE),
    "logs": ("InvalidParameterException", _ONE),
    "ecr": ("InvalidParameterException", "Invalid parameter: "),
    "sts": ("ValidationError", _ONE),
    "iam": ("ValidationError", _ONE),
}
#: The same of the services that have words of their own.
_LATE = {
    "ecs": ("InvalidParameterException", _ONE),
    "elbv2": ("ValidationError", _ONE),
    "sns": ("InvalidParameter", "Invalid parameter: "),
    "sqs": ("MissingParameter", _ONE),
    "ec2": ("MissingParameter", _ONE),
}
_TOPIC = re.compile(r"arn:[^:]+:sns:[^:]+:\d{12}:[^:]+(:[^:]+)?")
#: What services say, code and message, to a token nobody gave out.
_TOKENS = {
    "ecs": ("InvalidParameterException", "Invalid token."),
    "ssm": ("InvalidNextToken", "The specified token is not valid."),
    "secretsmanager": ("InvalidNextTokenException", "Invalid NextToken."),
    "application-autoscaling": ("InvalidNextTokenException", "Invalid NextToken."),
    "logs": ("InvalidParameterException", "The specified nextToken is invalid."),
    "iam": ("ValidationError", "Invalid Marker."),
    "sns": ("InvalidParameter", "Invalid parameter: NextToken"),
}


def wrong_member(service: str, given: Callable[[str], Any]) -> tuple[str, str] | None:
    """Code and message for a call that could not be answered for a token or an SNS ARN that is none."""
    topic = given("TopicArn")
    if service == "sns" and topic and not _TOPIC.fullmatch(str(topic)):
        return "InvalidParameter", "Invalid parameter: TopicArn"
    return _TOKENS.get(service) if any(map(given, ("NextToken", "nextToken", "Marker"))) else None


def missing_in_json(
    service: str, operation: str, given: dict[str, Any], late: bool = False
) -> tuple[str, str] | None:
    """Code and message when an object lacks a member, or has an empty text where that may not be.

    `late`: for a call that was let in and could not be answered.
    """
    return _refused(_LATE if late else _CODES, service, operation, given.get)


def missing_in_form(
    service: str, operation: str, given: dict[str, list[str]], late: bool = False
) -> tuple[str, str] | None:
    """The same for a form, where lists and structures are spread over several names."""

    def value(name: str) -> Any:
        spread = any(key.startswith(f"{name}.") for key in given)
        return given.get(name, [None])[0] or (True if spread else None)

    return _refused(_LATE if late else _CODES, service, operation, value)


def _refused(
    codes: dict[str, tuple[str, str]], service: str, operation: str, value: Callable[[str], Any]
) -> tuple[str, str] | None:
    if service not in codes:
        return None
    code, begin = codes[service]
    for name, may_be_empty in _required(service, operation):
        seen, told = value(name), name[0].lower() + name[1:]
        if seen is None:
            return code, begin + _NULL.format(told)
        if seen == "" and not may_be_empty:
            return code, begin + _EMPTY.format(told)
    return None


@cache
def _required(service: str, operation: str) -> tuple[tuple[str, bool], ...]:
    """Required members of an operation's input, each with whether it may be an empty text."""
    shape = _model(service).operation_model(operation).input_shape
    if not isinstance(shape, StructureShape):
        return ()
    return tuple((name, shape.members[name].metadata.get("min", 0) == 0) for name in shape.required_members)


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)
