"""The values of a container's `secrets`, read when its task starts, and never shown anywhere.

Source: "Pass sensitive data to an Amazon ECS container" in the ECS developer guide: `valueFrom` is a name or
ARN of an SSM parameter, or `arn:…:secret:name[:json-key:version-stage:version-id]` of Secrets Manager.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from moto.core.exceptions import ServiceException

from delivery.sandbox.ecs.definition import ContainerSpec

_FAILED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: "
    "execution resource retrieval failed: "
)
_SSM = _FAILED + "unable to retrieve secrets from ssm: "
_ASM = _FAILED + "unable to retrieve secret from asm: "


class SecretMissing(Exception):
    """A value could not be read; the message is ECS's stopped reason, and holds no value."""


class Reference(NamedTuple):
    """Where a secret of Secrets Manager is; empty parts are the defaults."""

    arn: str
    json_key: str = ""
    stage: str = ""
    version: str = ""


def reference(value_from: str) -> Reference | None:
    """What `valueFrom` names in Secrets Manager; None for a parameter of SSM."""
    parts = value_from.split(":")
    if len(parts) < 7 or parts[2] != "secretsmanager":
        return None
    more = [*parts[7:], "", "", ""][:3]
    return Reference(":".join(parts[:7]), *more)


def values_of(spec: ContainerSpec, backend: Callable[[str], Any]) -> dict[str, str]:
    """The variables of a container's secrets; called with moto's lock held. SecretMissing tells which not."""
    found = {}
    for secret in spec.secrets:
        place = reference(secret.value_from)
        found[secret.name] = (
            _parameter(backend("ssm"), secret.value_from)
            if place is None
            else _secret(backend("secretsmanager"), place)
        )
    return found


def _parameter(ssm: Any, value_from: str) -> str:
    name = value_from.split(":parameter", 1)[-1] if value_from.startswith("arn:") else value_from
    # In an ARN a name without folders stands behind a slash that is not part of it.
    for candidate in (name, name.removeprefix("/")):
        parameter = ssm.get_parameters([candidate]).get(candidate)
        if parameter is not None:
            return str(parameter.response_object(True)["Value"])
    raise SecretMissing(f"{_SSM}service call has been retried 1 time(s): invalid parameters: {name}")


def _secret(asm: Any, place: Reference) -> str:
    failed = f"{_ASM}service call has been retried 1 time(s): failed to fetch secret {place.arn} from "
    try:
        answer = asm.get_secret_value(place.arn, place.version or None, place.stage or None)
    except ServiceException as error:
        kind = getattr(error, "code", "") or type(error).__name__
        raise SecretMissing(f"{failed}secrets manager: {kind}: {_message(error)}") from None
    text = answer.get("SecretString")
    if text is None:
        raise SecretMissing(f"{failed}secrets manager: the secret has no SecretString")
    if not place.json_key:
        return str(text)
    return _member(str(text), place)


def _member(text: str, place: Reference) -> str:
    try:
        value = json.loads(text)[place.json_key]
    except (ValueError, KeyError, TypeError):
        raise SecretMissing(
            f"{_ASM}retrieved secret from Secrets Manager did not contain json key {place.json_key}"
        ) from None
    return value if isinstance(value, str) else json.dumps(value)


def _message(error: Exception) -> str:
    return str(getattr(error, "message", "") or error)
