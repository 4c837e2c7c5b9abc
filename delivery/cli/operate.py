"""What a person decides: approvals, holds, and the end of a quarantine. Each is one change of the ledger."""

from __future__ import annotations

import getpass
import re
import sys

import click

from delivery.cli.installation import Installation, pass_installation
from delivery.core.ledger import LedgerRecord
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.errors import NotFoundError, RefusedError
from delivery.flows import control
from delivery.flows.operation import Operation
from delivery.flows.telling import notice

signed = click.option("--by", required=True, help="Who decides: a name that others know.")
as_me = click.option("--by", default=getpass.getuser, show_default="your login", help="Who decides.")


def _asked(ctx: click.Context, parameter: click.Parameter, reason: str | None) -> str:
    """In a terminal it is asked for, so that every hint works as it stands; a script has to say it."""
    if ctx.resilient_parsing:  # completion in a shell must not ask
        return reason or ""
    if reason is None and sys.stdin.isatty():
        reason = click.prompt("Why (it is told to everyone)", type=str)
    if not reason:
        raise click.MissingParameter(ctx=ctx, param=parameter)
    return reason


because = click.option(
    "--reason", callback=_asked, help="Why; it is told to everyone. Asked for in a terminal."
)


@click.command()
@click.argument("service")
@click.argument("environment")
@click.argument("commit")
@signed
@pass_installation
def approve(installation: Installation, service: str, environment: str, commit: str, by: str) -> None:
    """Approve COMMIT (full, or the beginning of one verified upstream) for SERVICE in ENVIRONMENT."""
    spec, env = installation.environment(service, environment)
    if env.after is None or not env.after.approvals:
        raise RefusedError(
            f"{service}/{environment} was not approved", "this environment asks for no approval",
            "Commits reach it by themselves; see `after.approvals` in its defs.yaml.",
        )  # fmt: skip
    op = operation(installation, spec, by)
    sha = _full_sha(op, env.after.environment, commit)
    record = control.approve(op, env.name, sha, by)
    given = sorted({who for c, who, _ in record.approvals if c == sha})
    title = f"{sha[:8]} approved by {by}: {len(given)} of {env.after.approvals}"
    tell(op, env, "approved", title, f"Approved by {', '.join(given)}")


@click.command()
@click.argument("service")
@click.argument("environment")
@because
@as_me
@pass_installation
def hold(installation: Installation, service: str, environment: str, reason: str, by: str) -> None:
    """Make deployments of SERVICE to ENVIRONMENT wait. A rollout in flight goes on."""
    spec, env = installation.environment(service, environment)
    op = operation(installation, spec, by)
    standing = control.hold(op, env.name, reason).hold
    if standing is not None and (standing.by, standing.reason) != (op.holder, reason):
        raise RefusedError(
            f"{service}/{environment} was not held anew",
            f"it is held already, by {standing.by}: {standing.reason}",
            f"Lift that with `delivery unhold {service} {environment}` first.",
        )
    tell(op, env, "held", f"deployments held by {by}", reason)


@click.command()
@click.argument("service")
@click.argument("environment")
@because
@as_me
@pass_installation
def unhold(installation: Installation, service: str, environment: str, reason: str, by: str) -> None:
    """Let deployments of SERVICE to ENVIRONMENT go on."""
    spec, env = installation.environment(service, environment)
    op = operation(installation, spec, by)
    standing = op.record(env.name).hold
    if standing is None:
        raise RefusedError(f"{service}/{environment} was not changed", "its deployments are not held")
    control.lift_hold(op, env.name)
    body = f"{reason} (it was held by {standing.by}: {standing.reason})"
    tell(op, env, "unheld", f"deployments go on, says {by}", body)


@click.command()
@click.argument("service")
@click.argument("environment")
@click.argument("digest")
@because
@signed
@pass_installation
def unquarantine(
    installation: Installation, service: str, environment: str, digest: str, reason: str, by: str
) -> None:
    """Allow DIGEST (or the beginning of it) again for SERVICE in ENVIRONMENT."""
    spec, env = installation.environment(service, environment)
    op = operation(installation, spec, by)
    full = _quarantined(op.record(env.name), digest)
    control.lift_quarantine(op, env.name, full, reason)
    tell(op, env, "unquarantined", f"{full[:19]} allowed again by {by}", reason)


def operation(installation: Installation, service: ServiceSpec, by: str) -> Operation:
    """What a person does to a service; progress goes to stderr."""
    return Operation(installation.world, service, f"person {by}", lambda line: click.echo(line, err=True))


def tell(op: Operation, environment: EnvironmentSpec, kind: str, title: str, body: str) -> None:
    """Say it here and to everyone who is told of this environment."""
    op.progress(f"{op.service.name}/{environment.name}: {title}")
    notice(op, kind, environment.name, title, body)


def _full_sha(op: Operation, upstream: str, commit: str) -> str:
    """The full sha: as given, or the one release upstream that begins so."""
    if re.fullmatch(r"[0-9a-f]{40}", commit):
        return commit
    record = op.record(upstream)
    known = {entry.release.commit for entry in record.releases}
    fits = sorted(sha for sha in known if len(commit) >= 4 and sha.startswith(commit))
    if len(fits) == 1:
        return fits[0]
    names = ", ".join(sorted(sha[:12] for sha in fits or known)) or "none"
    raise NotFoundError(
        f"The commit {commit!r} was not approved",
        f"it fits {len(fits)} of the releases in {upstream}, which are: {names}",
        "Give the full sha.",
    )


def _quarantined(record: LedgerRecord, digest: str) -> str:
    wanted = digest if digest.startswith("sha256:") else f"sha256:{digest}"
    known = [q.digest for q in record.quarantine]
    fits = [d for d in known if d.startswith(wanted)]
    if len(fits) == 1:
        return fits[0]
    raise NotFoundError(
        f"The digest {digest} was not allowed again",
        f"it fits {len(fits)} of those quarantined in {record.service}/{record.environment}, which are: "
        + (", ".join(known) or "none"),
        "Look with `delivery status`.",
    )
