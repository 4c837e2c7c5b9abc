"""Who a request comes from, and the policies they have. Reads moto's state: hold its lock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from moto.core.exceptions import ServiceException

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.iam.conditions import listed
from delivery.sandbox.iam.evaluate import Policies, Policy

#: The access key every client of the sandbox has unless it is given another: the account's root user.
ROOT_KEY = "sandbox"
_EVERYTHING: Policy = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
#: moto's backend of a service.
Backend = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal. `arn` is what refusals name: a session's is not its role's."""

    arn: str
    policies: Policies
    context: dict[str, list[str]] = field(default_factory=dict)


class UnknownCallerError(Exception):
    """Why a caller is nobody: `unknown` key, wrong `token`, or `expired`."""


def find(key: str, token: str, account: str, backend: Backend) -> Caller:
    """The caller with this access key. Raises UnknownCallerError."""
    if key == ROOT_KEY:
        return Caller(f"arn:aws:iam::{account}:root", Policies([_EVERYTHING]), _known(account, "Account"))
    for session in backend("sts").assumed_roles:
        if session.access_key_id == key:
            return _of_session(session, token, account, backend)
    for user in backend("iam").users.values():
        if any(k.access_key_id == key and k.status == "Active" for k in user.access_keys):
            return _of_user(user, account, backend)
    raise UnknownCallerError("unknown")


def _of_session(session: Any, token: str, account: str, backend: Backend) -> Caller:
    if token != session.session_token:
        raise UnknownCallerError("token")
    if session.expiration.replace(tzinfo=UTC).timestamp() <= CLOCK.now():
        raise UnknownCallerError("expired")
    try:
        role = backend("iam").get_role_by_arn(session.role_arn)
    except ServiceException:
        return Caller(session.arn, Policies(), _known(account, "AssumedRole", session.role_arn, session.arn))
    known = _known(account, "AssumedRole", role.arn, session.arn, session.user_id)
    known |= {f"aws:principaltag/{t['Key'].lower()}": [t["Value"]] for t in role.tags or ()}
    return Caller(session.arn, of_role(role, backend, session.policy), known)


def of_role(role: Any, backend: Backend, session: Any = None) -> Policies:
    """What a role's sessions may do; `session` is the policy AssumeRole was given."""
    boundary = role.permissions_boundary_arn
    return Policies(
        [*map(read, role.policies.values()), *map(_document, role.managed_policies.values())],
        _document(backend("iam").managed_policies[boundary]) if boundary else None,
        [read(session)] if session else None,
    )


def of_user(user: Any, backend: Backend) -> Policies:
    """What a user may do, by policies of their own and of their groups."""
    groups = backend("iam").get_groups_for_user(user.name)
    holders = [user, *groups]
    return Policies(
        [read(p) for h in holders for p in h.policies.values()]
        + [_document(p) for h in holders for p in h.managed_policies.values()]
    )


def _of_user(user: Any, account: str, backend: Backend) -> Caller:
    known = _known(account, "User", user.arn, "", user.id)
    return Caller(user.arn, of_user(user, backend), {**known, "aws:username": [user.name]})


def read(policy: Any) -> Policy:
    """A policy document, which moto keeps as text."""
    return json.loads(policy) if isinstance(policy, str | bytes) else dict(policy)


def statements(policy: Policy) -> list[dict[str, Any]]:
    """A policy's statements: one may stand alone."""
    return listed(policy.get("Statement", []))


def _document(policy: Any) -> Policy:
    """A managed policy's default version."""
    return read(next(v.document for v in policy.versions if v.is_default_version))


def _known(
    account: str, kind: str, arn: str = "", session: str = "", user_id: str = ""
) -> dict[str, list[str]]:
    """Global condition keys of a principal; of a session, `aws:PrincipalArn` is its role's."""
    known = {
        "aws:principalarn": [arn or f"arn:aws:iam::{account}:root"],
        "aws:principalaccount": [account],
        "aws:principaltype": [kind],
        "aws:userid": [user_id or account],
    }
    return {**known, "sandbox:sessionarn": [session]} if session else known
