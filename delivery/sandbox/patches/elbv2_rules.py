"""ELBv2's listeners and rules: what they may say, in which order they are, and whose the groups are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.elbv2.exceptions import (
    DuplicateListenerError,
    ELBClientError,
    ListenerNotFoundError,
    PriorityInUseError,
    RuleNotFoundError,
    ValidationError,
)  # fmt: skip
from moto.elbv2.models import ELBv2Backend, FakeAction

from delivery.sandbox.elb.action_checks import check_actions
from delivery.sandbox.elb.actions import REDIRECT_DEFAULTS, groups_of
from delivery.sandbox.elb.checks import check_conditions
from delivery.sandbox.elb.usage import used_groups

MAX_PRIORITY, RULES_PER_BALANCER = 50000, 100
Actions = list[dict[str, Any]]


def checked_conditions() -> None:
    """Conditions are checked as documented; moto knows neither their number, their characters nor CIDRs."""

    def validate(self: ELBv2Backend, conditions: list[dict[str, Any]]) -> None:
        check_conditions(conditions)

    ELBv2Backend._validate_conditions = validate  # type: ignore[method-assign]


def checked_actions() -> None:
    """Actions are checked as documented; moto takes any weight, any number of groups, any redirect.

    What a redirect does not name is filled in, as ELB shows it.
    """

    def validate(self: ELBv2Backend, actions: Sequence[FakeAction]) -> None:
        if actions:  # ModifyRule may leave them as they are
            check_actions([a.data for a in actions], self.target_groups)
        for action in actions:
            if action.type == "redirect":
                for name, value in REDIRECT_DEFAULTS.items():
                    action.data["RedirectConfig"].setdefault(name, value)

    ELBv2Backend._validate_actions = validate  # type: ignore[method-assign]


def one_balancer_per_group() -> None:
    """A target group belongs to one load balancer (TargetGroupAssociationLimit); moto lets several have it.

    ModifyListener checks its actions like CreateListener, and a port is a listener's alone; moto looks at
    neither.
    """
    create, modify = ELBv2Backend.create_listener, ELBv2Backend.modify_listener

    def create_listener(
        self: ELBv2Backend, load_balancer_arn: str, protocol: str, port: Any, ssl_policy: str,
        certificate: str | None, actions: Actions, *args: Any, **kwargs: Any,
    ) -> Any:  # fmt: skip
        _own_port(self, load_balancer_arn, port, None)
        if protocol == "HTTPS" and not certificate:
            raise ELBClientError("ValidationError", "A certificate must be specified for HTTPS listeners")
        if certificate and not self._certificate_exists(certificate_arn=certificate):
            raise ELBClientError("CertificateNotFound", f"Certificate '{certificate}' not found")
        _own_groups(self, load_balancer_arn, actions)
        return create(
            self, load_balancer_arn, protocol, port, ssl_policy, certificate, actions, *args, **kwargs
        )

    def modify_listener(
        self: ELBv2Backend, arn: str, port: Any = None, protocol: str | None = None,
        ssl_policy: str | None = None, certificates: Any = None, actions: Any = None,
    ) -> Any:  # fmt: skip
        balancer = _listener(self, arn).load_balancer_arn
        if port is not None:
            _own_port(self, balancer, port, arn)
        if actions:
            _own_groups(self, balancer, actions)
            self._validate_actions([FakeAction(a) for a in actions])
        return modify(self, arn, port, protocol, ssl_policy, certificates, actions or [])

    ELBv2Backend.create_listener = create_listener  # type: ignore[method-assign]
    ELBv2Backend.modify_listener = modify_listener  # type: ignore[method-assign]


def _listener(elb: ELBv2Backend, arn: str) -> Any:
    for balancer in elb.load_balancers.values():
        if arn in balancer.listeners:
            return balancer.listeners[arn]
    raise ListenerNotFoundError()


def _own_port(elb: ELBv2Backend, balancer: str, port: Any, but: str | None) -> None:
    listeners = elb.load_balancers[balancer].listeners if balancer in elb.load_balancers else {}
    if any(str(x.port) == str(port) and x.arn != but for x in listeners.values()):
        raise DuplicateListenerError()


def _own_groups(elb: ELBv2Backend, balancer: str, actions: Actions) -> None:
    """Refuse groups that another load balancer has."""
    used = used_groups(elb)
    taken = [arn for a in actions for arn, _ in groups_of(a) if used.get(arn, balancer) != balancer]
    if taken:
        raise ELBClientError(
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer: "
            + ", ".join(taken),
        )


def ordered_rules() -> None:
    """DescribeRules shows rules in order of priority, the default last; moto as they were made."""
    describe = ELBv2Backend.describe_rules

    def describe_rules(self: ELBv2Backend, listener_arn: Any, rule_arns: Any) -> Any:
        if listener_arn is not None:
            _listener(self, listener_arn)
        found = describe(self, listener_arn, rule_arns)
        return sorted(found, key=lambda r: MAX_PRIORITY + 1 if r.is_default else int(r.priority))

    ELBv2Backend.describe_rules = describe_rules  # type: ignore[method-assign]


def checked_rules() -> None:
    """Priorities are from 1 to 50000, a load balancer has 100 rules at most, and the default stays.

    moto takes any number, never counts rules, and modifies the default like any other.
    """
    create, modify = ELBv2Backend.create_rule, ELBv2Backend.modify_rule

    def create_rule(
        self: ELBv2Backend,
        listener_arn: str,
        conditions: Any,
        priority: Any,
        actions: Actions,
        tags: Any = None,
    ) -> Any:
        listener = _listener(self, listener_arn)
        _check_priority(priority)
        if not conditions:
            raise ValidationError("At least one condition must be specified")
        listeners = self.load_balancers[listener.load_balancer_arn].listeners.values()
        if sum(len(x.rules) - 1 for x in listeners) >= RULES_PER_BALANCER:
            raise ELBClientError("TooManyRules", "The maximum number of rules on load balancer is reached")
        _own_groups(self, listener.load_balancer_arn, actions)
        if any(str(r.priority) == str(priority) for r in listener.rules.values()):
            raise PriorityInUseError()
        return create(self, listener_arn, conditions, int(priority), actions, tags)

    def modify_rule(self: ELBv2Backend, rule_arn: str, conditions: Any, actions: Actions) -> Any:
        rule = _rule(self, rule_arn)
        if rule.is_default:
            raise _not_for_the_default("modified")
        _own_groups(self, _listener(self, rule.listener_arn).load_balancer_arn, actions)
        return modify(self, rule_arn, conditions, actions)

    ELBv2Backend.create_rule = create_rule  # type: ignore[method-assign]
    ELBv2Backend.modify_rule = modify_rule  # type: ignore[method-assign]


def _check_priority(priority: Any) -> None:
    for wrong, constraint in (
        (int(priority) < 1, "greater than or equal to 1"),
        (int(priority) > MAX_PRIORITY, f"less than or equal to {MAX_PRIORITY}"),
    ):
        if wrong:
            raise ValidationError(
                f"1 validation error detected: Value '{priority}' at 'priority' failed to satisfy "
                f"constraint: Member must have value {constraint}"
            )


def _rule(elb: ELBv2Backend, arn: str) -> Any:
    for balancer in elb.load_balancers.values():
        for listener in balancer.listeners.values():
            if arn in (rules := {r.arn: r for r in listener.rules.values()}):
                return rules[arn]
    raise RuleNotFoundError()


def _not_for_the_default(done: str) -> ELBClientError:
    return ELBClientError("OperationNotPermitted", f"Default rule cannot be {done}")


def deleted_rules() -> None:
    """DeleteRule knows rules that are not there (RuleNotFound) and keeps the default; moto says nothing."""
    delete = ELBv2Backend.delete_rule

    def delete_rule(self: ELBv2Backend, arn: str) -> None:
        if _rule(self, arn).is_default:
            raise _not_for_the_default("deleted")
        delete(self, arn)

    ELBv2Backend.delete_rule = delete_rule  # type: ignore[method-assign]


def exchanged_priorities() -> None:
    """SetRulePriorities may exchange priorities, as long as the new order has no conflict.

    moto refuses that, and gives the default rule a priority.
    """

    def set_rule_priorities(self: ELBv2Backend, rule_priorities: list[dict[str, Any]]) -> list[Any]:
        wanted = {str(p["RuleArn"]): int(p["Priority"]) for p in rule_priorities}
        rules = [_rule(self, arn) for arn in wanted]
        for rule in rules:
            _check_priority(wanted[rule.arn])
            if rule.is_default:
                raise _not_for_the_default("modified")
        for listener_arn in {r.listener_arn for r in rules}:
            held = [r for r in _listener(self, listener_arn).rules.values() if not r.is_default]
            after = [wanted.get(r.arn, int(r.priority)) for r in held]
            if len(set(after)) < len(after):
                raise PriorityInUseError()
        for rule in rules:
            rule.priority = wanted[rule.arn]
        return rules

    ELBv2Backend.set_rule_priorities = set_rule_priorities  # type: ignore[method-assign]
