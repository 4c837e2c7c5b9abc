"""What `bootstrap` needs before anything else: a bucket for state and ledger, and the key that signs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from delivery.core.service import ServiceSpec, TerraformSpec
from delivery.errors import ConfigurationError, NotFoundError, PrerequisiteError
from delivery.ports import World
from delivery.settings import Settings

#: Its own state cannot be in the bucket that it makes: the planner keeps it in the work folder.
BOOTSTRAP = TerraformSpec("infra/stacks/bootstrap")
DNS = TerraformSpec("infra/stacks/dns", backend="infra/environments/shared/backend.hcl")
STATE_KEY = "bootstrap"


def lay_foundation(
    world: World,
    settings: Settings,
    apply: Callable[[str, Mapping[str, str]], None],
    say: Callable[[str], None],
) -> None:
    """Make bucket and signing key, or leave alone what somebody else made."""
    bucket = settings.required_bucket
    if _bucket_exists(world) and not _made_here(world):
        _require_key(world, settings)
        say(f"bootstrap │ the bucket {bucket} was not made from this folder: left as it is")
        return
    given = {"state_bucket": bucket}
    if settings.signing_key.startswith("alias/"):
        given["signing_key_alias"] = settings.signing_key
    apply(STATE_KEY, given)


def check_variables(root: Path, services: Sequence[ServiceSpec], variables: Mapping[str, str]) -> None:
    """Refuse a variable that no stack has: Terraform would never see it."""
    stacks = [BOOTSTRAP.stack, DNS.stack, *(s.registry.stack for s in services if s.registry)]
    text = "\n".join(path.read_text() for stack in stacks for path in sorted((root / stack).glob("*.tf")))
    known = set(re.findall(r'variable\s+"([^"]+)"', text))
    unknown = sorted(variables.keys() - known)
    if unknown:
        raise ConfigurationError(
            f"The variables {', '.join(unknown)} cannot be used",
            f"no stack has them; bootstrap, dns and registry have {', '.join(sorted(known))}",
            "Variables of an environment belong in its .tfvars file.",
        )


def check_backends(settings: Settings, services: Sequence[ServiceSpec], dns: bool) -> None:
    """Every state must go into the installation's bucket, where the ledger is and the backups are."""
    specs = [s.registry for s in services if s.registry]
    specs += [e.terraform for s in services for e in s.environments]
    specs += [DNS] if dns else []
    wrong = {}
    for backend in sorted({spec.backend for spec in specs if spec.backend}):
        path = settings.root / backend
        found = re.search(r'^\s*bucket\s*=\s*"([^"]*)"', path.read_text() if path.is_file() else "", re.M)
        if found and found[1] != settings.required_bucket:
            wrong[backend] = found[1]
    if wrong:
        told = "; ".join(f"{backend} names {bucket}" for backend, bucket in wrong.items())
        raise ConfigurationError(
            "Terraform's state would go into another bucket",
            f"DELIVERY_BUCKET is {settings.required_bucket}, but {told}",
            "Make them the same.",
        )


def _bucket_exists(world: World) -> bool:
    try:
        world.artifacts.exists(STATE_KEY)
    except PrerequisiteError:
        return False
    return True


def _made_here(world: World) -> bool:
    try:
        world.planner.outputs(BOOTSTRAP, STATE_KEY)
    except NotFoundError:
        return False
    return True


def _require_key(world: World, settings: Settings) -> None:
    try:
        world.signer.sign(b"is the key there?")
    except NotFoundError as error:
        raise PrerequisiteError(
            "The bucket is there, but the signing key is not",
            f"{settings.signing_key}: {error.why}",
            "Make it with the stack that made the bucket (output signing_key_alias), "
            "or from infra/modules/signing-key, and set DELIVERY_SIGNING_KEY to its alias.",
        ) from None
