"""What ELB refuses of actions. Pure; refusals are moto's exceptions.

Source: the API reference (Action, ForwardActionConfig, RedirectActionConfig, FixedResponseActionConfig) and
"Quotas for your Application Load Balancers" in the user guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.elbv2.exceptions import (
    ELBClientError,
    InvalidActionTypeError,
    InvalidLoadBalancerActionException,
    TargetGroupNotFoundError,
    ValidationError,
)  # fmt: skip

from delivery.sandbox.elb.actions import REDIRECT_DEFAULTS, groups_of

GROUPS_PER_ACTION, MAX_WEIGHT, MAX_BODY, MAX_STICKY = 5, 999, 1024, 604800
_FINAL = {
    "forward": "ForwardConfig", "redirect": "RedirectConfig", "fixed-response": "FixedResponseConfig",
}  # fmt: skip
_BEFORE = ("authenticate-cognito", "authenticate-oidc", "jwt-validation")
_CONTENT = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
_PROTOCOL, _STATUS, _CODE = r"^(HTTPS?|#\{protocol\})$", r"^(2|4|5)\d\d$", ("HTTP_301", "HTTP_302")


def check_actions(actions: Sequence[Mapping[str, Any]], groups: Mapping[str, Any]) -> None:
    """Refuse what no listener or rule may do; `groups` are the target groups there are, by ARN."""
    for number, action in enumerate(actions, 1):
        if action.get("Type") not in (*_FINAL, *_BEFORE):
            raise InvalidActionTypeError(action.get("Type"), number)
    final = [a for a in actions if a["Type"] in _FINAL]
    ordered = sorted(actions, key=lambda a: int(a.get("Order") or 0))
    if len(final) != 1 or ordered[-1] is not final[0]:
        raise InvalidLoadBalancerActionException(
            "Exactly one of the actions 'forward', 'redirect' or 'fixed-response' must be specified, and it "
            "must be the last action to be performed"
        )
    checks: dict[str, Callable[..., None]] = {
        "forward": _forward, "redirect": _redirect, "fixed-response": _fixed,
    }  # fmt: skip
    kind = str(final[0]["Type"])
    if kind != "forward" and not final[0].get(_FINAL[kind]):
        raise InvalidLoadBalancerActionException(
            f"For actions of type '{kind}', you must specify the following fields: '{_FINAL[kind]}'"
        )
    checks[kind](final[0], groups)


def _forward(action: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    groups = groups_of(action)
    if not groups:
        raise InvalidLoadBalancerActionException(
            "For actions of type 'forward', you must specify the following fields: 'TargetGroupArn'"
        )
    if len(groups) > GROUPS_PER_ACTION:
        text = f"The maximum number of target groups per action is '{GROUPS_PER_ACTION}'"
        raise ELBClientError("TooManyTargetGroups", text)
    if any(not 0 <= weight <= MAX_WEIGHT for _, weight in groups):
        raise ValidationError(
            f"The weight for each target group must be between 0 and {MAX_WEIGHT}, inclusive"
        )
    if len({arn for arn, _ in groups}) < len(groups):
        raise ValidationError("A target group can be specified only once per action")
    single = action.get("TargetGroupArn")
    if single and (len(groups) > 1 or groups[0][0] != single):
        raise ValidationError("You cannot specify both a target group ARN and a list of other target groups")
    for arn, _ in groups:
        if arn not in known:
            raise TargetGroupNotFoundError()
        if known[arn].target_type != "lambda" and known[arn].protocol not in ("HTTP", "HTTPS"):
            text = f"The protocol '{known[arn].protocol}' of target group '{arn}' is not that of the listener"
            raise ELBClientError("IncompatibleProtocols", text)
    _stickiness((action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {})


def _stickiness(config: Mapping[str, Any]) -> None:
    if str(config.get("Enabled", "false")).lower() != "true":
        return
    if not 1 <= int(config.get("DurationSeconds") or 0) <= MAX_STICKY:
        raise ValidationError(
            f"Target group stickiness duration must be between 1 and {MAX_STICKY} seconds when it is enabled"
        )


def _fixed(action: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    fixed = action["FixedResponseConfig"]
    status = str(fixed.get("StatusCode") or "")
    if not re.fullmatch(_STATUS, status):
        _refuse(status, "fixedResponseConfig.statusCode", f"satisfy regular expression pattern: {_STATUS}")
    kind = fixed.get("ContentType")
    if kind and kind not in _CONTENT:
        raise InvalidLoadBalancerActionException(f"The ContentType must be one of: {', '.join(_CONTENT)}")
    if len(fixed.get("MessageBody") or "") > MAX_BODY:
        _refuse("…", "fixedResponseConfig.messageBody", f"have length less than or equal to {MAX_BODY}")


def _redirect(action: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    given = action["RedirectConfig"]
    if given.get("StatusCode") not in _CODE:
        values = f"satisfy enum value set: [{', '.join(_CODE)}]"
        _refuse(str(given.get("StatusCode") or ""), "redirectConfig.statusCode", values)
    redirect = {k: str(given.get(k) or v) if k != "Query" else str(given.get(k, v))
                for k, v in REDIRECT_DEFAULTS.items()}  # fmt: skip
    for name, value in redirect.items():
        if len(value) > 128:
            _refuse(value, f"redirectConfig.{name.lower()}", "have length less than or equal to 128")
        if any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise InvalidLoadBalancerActionException(f"The {name} parameter is not valid")
    if not re.fullmatch(_PROTOCOL, redirect["Protocol"]):
        _refuse(redirect["Protocol"], "redirectConfig.protocol", f"satisfy regular expression: {_PROTOCOL}")
    port = redirect["Port"]
    if port != "#{port}" and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise InvalidLoadBalancerActionException("The Port parameter must be from 1 to 65535 or '#{port}'")
    if not redirect["Path"].startswith("/"):
        raise InvalidLoadBalancerActionException(
            "The Path parameter must be a valid path, and start with '/'"
        )
    if all(redirect[k] == REDIRECT_DEFAULTS[k] for k in ("Protocol", "Host", "Port", "Path")):
        raise InvalidLoadBalancerActionException(
            "The redirect configuration is not valid because it creates a loop."
        )


def _refuse(value: str, where: str, constraint: str) -> None:
    raise ValidationError(
        f"1 validation error detected: Value '{value}' at 'actions.1.member.{where}' failed to satisfy "
        f"constraint: Member must {constraint}"
    )
