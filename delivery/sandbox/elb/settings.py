"""The ranges of target groups' and load balancers' settings. Pure; refusals are moto's exceptions.

Source: the API reference (CreateTargetGroup, TargetGroupAttribute, LoadBalancerAttribute, Matcher).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.elbv2.exceptions import ELBClientError, ValidationError

#: What a value may be: a range, a set of words, or None for anything.
Allowed = tuple[int, int] | frozenset[str] | None
_BOOLEAN = frozenset({"true", "false"})
_ALGORITHMS = frozenset({"round_robin", "least_outstanding_requests", "weighted_random"})

GROUP_ATTRIBUTES: dict[str, Allowed] = {
    "deregistration_delay.timeout_seconds": (0, 3600),
    "stickiness.enabled": _BOOLEAN,
    "stickiness.type": None,
    "stickiness.lb_cookie.duration_seconds": (1, 604800),
    "stickiness.app_cookie.duration_seconds": (1, 604800),
    "stickiness.app_cookie.cookie_name": None,
    "slow_start.duration_seconds": (0, 900),
    "load_balancing.algorithm.type": _ALGORITHMS,
    "load_balancing.algorithm.anomaly_mitigation": frozenset({"on", "off"}),
    "load_balancing.cross_zone.enabled": _BOOLEAN | {"use_load_balancer_configuration"},
    "target_group_health.dns_failover.minimum_healthy_targets.count": None,
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": None,
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": (1, 1000),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": None,
    "lambda.multi_value_headers.enabled": _BOOLEAN,
    "waf.fail_open.enabled": _BOOLEAN,
    # of Network and Gateway Load Balancers
    "deregistration_delay.connection_termination.enabled": _BOOLEAN,
    "preserve_client_ip.enabled": _BOOLEAN,
    "proxy_protocol_v2.enabled": _BOOLEAN,
    "target_health_state.unhealthy.connection_termination.enabled": _BOOLEAN,
    "target_health_state.unhealthy.draining_interval_seconds": (0, 360000),
    "target_failover.on_deregistration": None,
    "target_failover.on_unhealthy": None,
}
BALANCER_ATTRIBUTES: dict[str, Allowed] = {
    "idle_timeout.timeout_seconds": (1, 4000),
    "client_keep_alive.seconds": (60, 604800),
    "deletion_protection.enabled": _BOOLEAN,
    "access_logs.s3.enabled": _BOOLEAN,
    "routing.http2.enabled": _BOOLEAN,
    "routing.http.desync_mitigation_mode": frozenset({"monitor", "defensive", "strictest"}),
    "routing.http.drop_invalid_header_fields.enabled": _BOOLEAN,
    "routing.http.preserve_host_header.enabled": _BOOLEAN,
    "routing.http.xff_client_port.enabled": _BOOLEAN,
    "routing.http.xff_header_processing.mode": frozenset({"append", "preserve", "remove"}),
}
#: Health checks of target groups of instances and addresses, in seconds and in checks.
NUMBERS = {
    "interval_seconds": (5, 300),
    "timeout_seconds": (2, 120),
    "healthy_threshold_count": (2, 10),
    "unhealthy_threshold_count": (2, 10),
}
_API = {
    "interval_seconds": "healthCheckIntervalSeconds",
    "timeout_seconds": "healthCheckTimeoutSeconds",
    "healthy_threshold_count": "healthyThresholdCount",
    "unhealthy_threshold_count": "unhealthyThresholdCount",
}
_MATCHER = re.compile(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*")


def check_attributes(whose: str, given: Mapping[str, Any], known: Mapping[str, Allowed]) -> None:
    """ValidationError for an unknown name or a value out of range."""
    for key, value in given.items():
        if key not in known:
            raise ValidationError(f"{whose} attribute key '{key}' is not recognized")
        allowed = known[key]
        if isinstance(allowed, tuple):
            low, high = allowed
            if not str(value).isdigit() or not low <= int(value) <= high:
                raise ValidationError(f"'{key}' value '{value}' must be between '{low}-{high}' inclusive")
        elif allowed and str(value) not in allowed:
            raise ValidationError(f"'{key}' value '{value}' must be one of [{', '.join(sorted(allowed))}]")
    slow = int(given.get("slow_start.duration_seconds") or 0)
    if slow and slow < 30:
        raise ValidationError(
            f"'slow_start.duration_seconds' value '{slow}' must be between '30-900' inclusive"
        )


def check_numbers(asked: Mapping[str, Any], protocol: str | None) -> None:
    """Refuse numbers of health checks that are out of range, or a timeout that is not below the interval."""
    for name, (low, high) in NUMBERS.items():
        value = asked.get(name)
        if value is None or low <= int(value) <= high:
            continue
        constraint = (
            f"greater than or equal to {low}" if int(value) < low else f"less than or equal to {high}"
        )
        raise ValidationError(
            f"1 validation error detected: Value '{value}' at '{_API[name]}' failed to satisfy constraint: "
            f"Member must have value {constraint}"
        )
    timeout, interval = asked.get("timeout_seconds"), asked.get("interval_seconds")
    web = protocol in ("HTTP", "HTTPS")
    if timeout and interval and web and int(timeout) >= int(interval):
        raise ValidationError(
            f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'"
        )
    matcher = asked.get("matcher")
    if matcher and web and not _good(str(matcher)):
        raise ELBClientError(
            "ValidationError",
            f"Health check matcher HTTP code '{matcher}' must be within '200-499' inclusive",
        )


def _good(matcher: str) -> bool:
    codes = [int(code) for code in re.findall(r"\d+", matcher)]
    return bool(_MATCHER.fullmatch(matcher)) and all(200 <= code <= 499 for code in codes)
