"""What ELB refuses of rules' conditions and actions. Pure; refusals are moto's exceptions.

Source: the API reference (RuleCondition, Action and what they hold), "Quotas for your Application Load
Balancers" and "Condition types for listener rules" in the user guide.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.elbv2.exceptions import InvalidConditionFieldError, ValidationError

from delivery.sandbox.elb.reading import conditions as read

VALUES_PER_RULE, WILDCARDS_PER_RULE, LENGTH = 5, 6, 128
#: Conditions a rule may have once; of the others it may have several.
_ONCE = ("http-request-method", "host-header", "path-pattern", "source-ip")
_HOST = re.compile(r"[A-Za-z0-9.*?-]+")
_PATH = re.compile(r"[A-Za-z0-9_.$/~\"'@:+&*?-]+")
_METHOD = re.compile(r"[A-Z_-]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&*+.^_`|~-]+")
_CONFIGS = {
    "http-header": "HttpHeaderConfig", "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig", "query-string": "QueryStringConfig",
}  # fmt: skip


def check_conditions(conditions: Sequence[Mapping[str, Any]]) -> None:
    """ValidationError for what no rule may have."""
    fields = Counter(c.get("Field") for c in conditions)
    for condition in conditions:
        field = str(condition.get("Field"))
        if field not in InvalidConditionFieldError.VALID_FIELDS:
            raise InvalidConditionFieldError(field)
        if field in _ONCE and fields[field] > 1:
            raise ValidationError(f"A rule can only have one '{field}' condition")
        _check_condition(field, condition)
    values = [v for c in read(conditions) for v in (*c.values, *c.expressions)]
    if len(values) > VALUES_PER_RULE:
        raise ValidationError(f"A rule can only have '{VALUES_PER_RULE}' condition values")
    wild = [c for v in values for part in ([v] if isinstance(v, str) else v) for c in part if c in "*?"]
    if len(wild) > WILDCARDS_PER_RULE and not any(c.expressions for c in read(conditions)):
        raise ValidationError(f"A rule can only have '{WILDCARDS_PER_RULE}' wildcards")


def _check_condition(field: str, condition: Mapping[str, Any]) -> None:
    if "Values" in condition and field in _CONFIGS:
        raise ValidationError(f"The 'Values' field is not compatible with '{field}'")
    if field in _CONFIGS and not condition.get(_CONFIGS[field]):
        raise ValidationError(f"A '{_CONFIGS[field]}' must be specified with '{field}'")
    both = {"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig"}.get(field, "")
    if condition.get("Values") and condition.get(both):
        raise ValidationError(
            f"You cannot provide both Values and '{both}' for a condition of type '{field}'"
        )
    if len(condition.get("Values") or ()) > 1:
        raise ValidationError(f"The '{field}' field contains too many values; the limit is '1'")
    (asked,) = read([condition])
    if not asked.values and not asked.expressions:
        raise ValidationError("A condition value must be specified")
    for expression in asked.expressions:
        _check_expression(field, expression)
    for value in asked.values:
        for part in [value] if isinstance(value, str) else value:
            _check_text(field, part)
        _CHECKS[field](value)
    if field == "http-header":
        _check_header(asked.header)


def _check_text(field: str, value: str) -> None:
    if len(value) > LENGTH:
        raise ValidationError(f"The '{field}' value is too long; the limit is '{LENGTH}'")
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValidationError(f"The '{field}' value contains a character that is not allowed")


def _check_expression(field: str, expression: str) -> None:
    _check_text(field, expression)
    try:
        re.compile(expression)
    except re.error:
        raise ValidationError(f"The regular expression '{expression}' is not valid") from None


def _check_header(name: str) -> None:
    if len(name) > 40:
        raise ValidationError("The 'HttpHeaderName' value is too long; the limit is '40'")
    if not _TOKEN.fullmatch(name):
        raise ValidationError(f"The 'HttpHeaderName' value '{name}' is not valid")
    if name.lower() == "host":
        raise ValidationError("The 'http-header' condition cannot be used for the host header")


def _host(value: str) -> None:
    if not _HOST.fullmatch(value):
        raise ValidationError(f"The 'host-header' value '{value}' contains a character that is not allowed")


def _path(value: str) -> None:
    if not _PATH.fullmatch(value):
        raise ValidationError(f"The 'path-pattern' value '{value}' contains a character that is not allowed")


def _method(value: str) -> None:
    if len(value) > 40:
        raise ValidationError("The 'http-request-method' value is too long; the limit is '40'")
    if not _METHOD.fullmatch(value):
        raise ValidationError(
            "The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen and "
            "underscore"
        )


def _source(value: str) -> None:
    try:
        if "/" not in value:
            raise ValueError
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValidationError(f"The 'source-ip' value '{value}' must be in CIDR format") from None


def _pair(value: tuple[str, str]) -> None:
    if not value[1]:
        raise ValidationError("A 'Value' must be specified in 'QueryStringKeyValuePair'")


def _anything(value: str) -> None:
    if not value:
        raise ValidationError("A condition value must be specified")


_CHECKS: dict[str, Callable[[Any], None]] = {
    "host-header": _host, "path-pattern": _path, "http-request-method": _method, "source-ip": _source,
    "query-string": _pair, "http-header": _anything,
}  # fmt: skip
