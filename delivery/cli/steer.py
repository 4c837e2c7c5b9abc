"""A person and a rollout: let a paused one go on, give one up, return to a verified release."""

from __future__ import annotations

import click

from delivery.cli.installation import Installation, pass_installation
from delivery.cli.operate import as_me, because, operation, tell
from delivery.errors import RefusedError
from delivery.flows import control
from delivery.flows.manual_rollback import return_to

#: The run that holds the lock drives what the ledger says; if there is none, the backstop starts one.
_NEXT = "its run goes on with it, or the backstop sensor starts one"


@click.command("continue")
@click.argument("service")
@click.argument("environment")
@as_me
@pass_installation
def go_on(installation: Installation, service: str, environment: str, by: str) -> None:
    """Let the paused rollout of SERVICE in ENVIRONMENT go on where it stopped."""
    spec, env = installation.environment(service, environment)
    op = operation(installation, spec, by)
    rollout = control.continue_rollout(op, env.name)
    tell(op, env, "continued", f"{rollout.release.id} continued by {by}", _NEXT)


@click.command()
@click.argument("service")
@click.argument("environment")
@because
@as_me
@pass_installation
def abort(installation: Installation, service: str, environment: str, reason: str, by: str) -> None:
    """Give up the rollout in flight of SERVICE in ENVIRONMENT: its traffic goes back, it is not judged."""
    spec, env = installation.environment(service, environment)
    op = operation(installation, spec, by)
    rollout = control.abort_rollout(op, env.name, reason)
    tell(op, env, "aborted", f"{rollout.release.id} given up by {by}", f"{reason}; {_NEXT}")


@click.command()
@click.argument("service")
@click.argument("environment")
@click.option("--to", metavar="RELEASE", help="Release or commit; default: the last verified one.")
@because
@as_me
@pass_installation
def rollback(
    installation: Installation, service: str, environment: str, to: str | None, reason: str, by: str
) -> None:
    """Return SERVICE in ENVIRONMENT to a verified release, now. Deployments are held afterwards."""
    spec, env = installation.environment(service, environment)
    op = operation(installation, spec, by)
    ended = return_to(op, env.name, to, reason)
    if ended.refused:
        raise RefusedError(
            f"{service}/{environment} was not rolled back", ended.refused, "Look with `delivery status`."
        )
    tell(op, env, "rolled_back", f"{ended.bad} was rolled back to {ended.good} by {by}", reason)
    op.progress(f"deployments are held; `delivery unhold {service} {environment}` lets them go on")
