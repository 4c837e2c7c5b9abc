"""Whether policies allow a request: an explicit deny, then an allow, else no. Pure.

Source: IAM user guide, "Policy evaluation logic", "How AWS enforcement code logic evaluates requests to
allow or deny access", "Troubleshoot access denied error messages".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from delivery.sandbox.iam.conditions import Context, filled, holds, like, listed

#: A policy document.
Policy = Mapping[str, Any]
ALLOWED, IMPLICIT, EXPLICIT = "allowed", "implicitDeny", "explicitDeny"


@dataclass(frozen=True, slots=True)
class Asked:
    """One action on one resource. `also` are other ways to write the resource's ARN."""

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policies:
    """What a caller has. A boundary or session of None is none; an empty one allows nothing."""

    identity: Sequence[Policy] = ()
    boundary: Policy | None = None
    session: Sequence[Policy] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`allowed`, `implicitDeny` or `explicitDeny`; `why` ends AWS's sentence about a refusal."""

    name: str
    why: str = ""

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return self.name == ALLOWED


def decide(asked: Asked, policies: Policies, resource: Policy | None = None) -> Decision:
    """Whether these policies allow it, `resource` being the resource's own (of the same account).

    A deny anywhere refuses. What the resource's policy allows needs no identity-based one; a permissions
    boundary and a session policy bound what identity-based policies allow.
    """
    kinds: list[tuple[str, Sequence[Policy] | None]] = [
        ("an identity-based policy", policies.identity),
        ("a permissions boundary", None if policies.boundary is None else [policies.boundary]),
        ("a session policy", policies.session),
        ("a resource-based policy", None if resource is None else [resource]),
    ]
    found = {
        kind: effects(asked, given, kind.startswith("a resource"))
        for kind, given in kinds
        if given is not None
    }
    for kind, effect in found.items():
        if "Deny" in effect:
            return Decision(EXPLICIT, f"with an explicit deny in {kind}")
    if "Allow" in found.get("a resource-based policy", ()):
        return Decision(ALLOWED)
    for kind, effect in found.items():
        if "Allow" not in effect and not kind.startswith("a resource"):
            name = kind.split(" ", 1)[1]
            return Decision(IMPLICIT, f"because no {name} allows the {asked.action} action")
    return Decision(ALLOWED)


def effects(asked: Asked, policies: Iterable[Policy], of_resource: bool = False) -> set[str]:
    """The effects of the statements that speak of it."""
    return {
        str(statement["Effect"])
        for policy in policies
        for statement in listed(policy.get("Statement", []))
        if _applies(statement, asked, of_resource)
    }


def _applies(statement: Mapping[str, Any], asked: Asked, of_resource: bool) -> bool:
    return (
        _action(statement, asked.action)
        and (
            _resource(statement, asked)
            or (of_resource and not {"Resource", "NotResource"} & statement.keys())
        )
        and (not of_resource or _principal(statement, asked.context))
        and holds(statement.get("Condition") or {}, asked.context)
    )


def _action(statement: Mapping[str, Any], action: str) -> bool:
    """Actions have no case."""
    named = "Action" in statement
    patterns = listed(statement.get("Action", statement.get("NotAction", [])))
    return any(like(action.lower(), str(p).lower()) for p in patterns) == named


def _resource(statement: Mapping[str, Any], asked: Asked) -> bool:
    named = "Resource" in statement
    if not named and "NotResource" not in statement:
        return False
    patterns = [
        filled(str(p), asked.context) for p in listed(statement.get("Resource", statement.get("NotResource")))
    ]
    return any(like(r, p) for p in patterns for r in (asked.resource, *asked.also)) == named


def _principal(statement: Mapping[str, Any], context: Context) -> bool:
    """Whether the statement names the caller: by ARN, by account, or everybody.

    A role's name stands for each of its sessions.
    """
    named = "Principal" in statement
    given = statement.get("Principal", statement.get("NotPrincipal"))
    if given is None:
        return False
    names = ["*"] if given == "*" else [str(n) for n in listed(given.get("AWS", []))]
    services = [] if given == "*" else [str(n) for n in listed(given.get("Service", []))]
    own = {a for key in ("aws:principalarn", "sandbox:sessionarn") for a in context.get(key, ())}
    account = next(iter(context.get("aws:principalaccount", ())), "")
    matched = "*" in names or any(
        n in own or n == account or n == f"arn:aws:iam::{account}:root" for n in names if own
    )
    matched = matched or any(s in context.get("aws:principalservicename", ()) for s in services)
    return matched == named


def named_directly(policy: Policy, asked: Asked) -> bool:
    """Whether a trust policy allows the caller by its own ARN, so that no identity policy is needed."""
    own = {a for key in ("aws:principalarn", "sandbox:sessionarn") for a in asked.context.get(key, ())}
    return any(
        statement.get("Effect") == "Allow"
        and _applies(statement, asked, True)
        and isinstance(statement.get("Principal"), Mapping)
        and own & set(listed(statement["Principal"].get("AWS", [])))
        for statement in listed(policy.get("Statement", []))
    )
