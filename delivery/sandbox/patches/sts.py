"""STS: who one is, and sessions of roles that exist."""

from __future__ import annotations

import re
from typing import Any

from moto.core.exceptions import ServiceException
from moto.sts.models import STSBackend
from moto.sts.responses import TokenResponse

from delivery.sandbox.iam.callers import Backend

#: Seconds a session may last at least, and by default.
SHORTEST, DEFAULT = 900, 3600


class StsError(ServiceException):
    """An error of STS, with its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status_code = status


def install(backend: Backend) -> None:
    """Put the patches in place, before the server starts."""
    root_user()
    roles_that_exist(backend)


def root_user() -> None:
    """moto tells who has no credentials of its making that they are a user `moto`, whom IAM does not list.

    They are the account's root user, as its id says. Source: IAM user guide, "IAM unique identifiers".
    """
    identify = STSBackend.get_caller_identity

    def get_caller_identity(self: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
        found = identify(self, access_key_id, region)
        if not found[1].endswith(":user/moto"):
            return found
        return self.account_id, f"arn:aws:iam::{self.account_id}:root", self.account_id

    STSBackend.get_caller_identity = get_caller_identity  # type: ignore[method-assign]


def roles_that_exist(backend: Backend) -> None:
    """moto lets anybody assume a role that nobody made, for as long as they like, under any session name.

    Source: STS API reference, AssumeRole: parameters, errors.
    """
    assume = TokenResponse.assume_role

    def assume_role(self: TokenResponse) -> Any:
        arn, name = str(self._get_param("RoleArn")), str(self._get_param("RoleSessionName") or "")
        seconds = self._get_int_param("DurationSeconds", DEFAULT)
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII):
            raise _invalid(name, "roleSessionName", r"satisfy regular expression pattern: [\w+=,.@-]*")
        if seconds < SHORTEST:
            raise _invalid(seconds, "durationSeconds", f"have value greater than or equal to {SHORTEST}")
        if arn.split(":")[4:5] == [self.current_account]:
            _check(self, backend, arn, seconds)
        return assume(self)

    TokenResponse.assume_role = assume_role  # type: ignore[method-assign]


def _check(response: TokenResponse, backend: Backend, arn: str, seconds: int) -> None:
    """A role of this account must be there, and its sessions may last so long."""
    try:
        role = backend("iam").get_role_by_arn(arn)
    except ServiceException:
        _, caller, _ = response.backend.get_caller_identity(response.get_access_key(), response.region)
        told = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        raise StsError("AccessDenied", told, 403) from None
    if seconds > int(role.max_session_duration or DEFAULT):
        told = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise StsError("ValidationError", told)


def _invalid(value: object, name: str, constraint: str) -> StsError:
    return StsError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
        f"Member must {constraint}",
    )
