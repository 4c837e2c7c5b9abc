"""A person and a rollout: stop it, let it go on, give it up, return to a verified release.

Each is a Dagster run, so that the lineage has it; its log is told here until it ends. `--direct` does the
same from this process, under the same lock in the ledger, for the hour in which Dagster is down.
"""

from __future__ import annotations

import click

from delivery.cli.dagster import with_hint
from delivery.cli.installation import Installation, pass_installation
from delivery.cli.operate import as_me, because, operation
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.errors import PrerequisiteError, ProviderError, RefusedError
from delivery.flows.steering import Order, steer

DIRECT = "Start Dagster (`delivery up`), or add `--direct`: it is done from here, under the same lock."

direct = click.option("--direct", is_flag=True, help="From this process, without Dagster.")


@click.command()
@click.argument("service")
@click.argument("environment")
@because
@as_me
@direct
@pass_installation
def pause(
    installation: Installation, service: str, environment: str, reason: str, by: str, direct: bool
) -> None:
    """Stop the rollout of SERVICE in ENVIRONMENT where it stands. It is judged meanwhile, and given up if it
    fails; it goes no further until somebody says `continue` or `abort`."""
    _carry_out(installation, service, environment, Order("pause", by, reason), direct)


@click.command("continue")
@click.argument("service")
@click.argument("environment")
@click.option("--reason", default="looked at", show_default=True, help="Why; it is told to everyone.")
@as_me
@direct
@pass_installation
def go_on(
    installation: Installation, service: str, environment: str, reason: str, by: str, direct: bool
) -> None:
    """Let the paused rollout of SERVICE in ENVIRONMENT go on where it stopped.

    One that is paused because nobody can tell (a marginal score, no data) has that accepted, at this step, in
    your name; `delivery status` says what would be. What failed is never accepted.

    Its run goes on with it, or a new one does at once; with --direct this command drives it.
    """
    _carry_out(installation, service, environment, Order("continue", by, reason), direct)


@click.command()
@click.argument("service")
@click.argument("environment")
@because
@as_me
@direct
@pass_installation
def abort(
    installation: Installation, service: str, environment: str, reason: str, by: str, direct: bool
) -> None:
    """Give up the rollout in flight of SERVICE in ENVIRONMENT: its traffic goes back, it is not judged."""
    _carry_out(installation, service, environment, Order("abort", by, reason), direct)


@click.command()
@click.argument("service")
@click.argument("environment")
@click.option("--to", metavar="RELEASE", help="Release or commit; default: the last verified one.")
@because
@as_me
@direct
@pass_installation
def rollback(
    installation: Installation, service: str, environment: str, to: str | None, reason: str, by: str,
    direct: bool,
) -> None:  # fmt: skip
    """Return SERVICE in ENVIRONMENT to a verified release, now. It leaves a release on its way that has
    traffic, else the live one. Deployments are held afterwards."""
    _carry_out(installation, service, environment, Order("rollback", by, reason, to), direct)


def _carry_out(
    installation: Installation, service: str, environment: str, order: Order, direct: bool
) -> None:
    spec, env = installation.environment(service, environment)
    if direct:
        steer(operation(installation, spec, order.by), env.name, order, drive=True)
    else:
        _by_a_run(installation, spec, env, order)


def _by_a_run(installation: Installation, spec: ServiceSpec, env: EnvironmentSpec, order: Order) -> None:
    """Submit the run, tell what it says, and end as it ends."""
    from delivery.orchestration.steering import steering_config, steering_name, steering_tags

    dagster = installation.dagster
    tags = steering_tags(spec.name, env.name, order)
    config = steering_config(spec.name, env.name, order)
    try:
        run = dagster.submit(steering_name(spec.name, env.name), config, tags)
    except PrerequisiteError as error:
        raise with_hint(error, DIRECT) from None
    click.echo(f"run {run[:8]}: {dagster.url}/runs/{run}", err=True)
    try:
        status, why = dagster.follow(run, lambda line: click.echo(line, err=True))
    except (PrerequisiteError, ProviderError) as lost:
        raise ProviderError(
            f"The run {run[:8]} was lost sight of", lost.why, "It goes on; look with `delivery status`."
        ) from None
    if status != "SUCCESS":
        what = f"`{order.word}` of {spec.name}/{env.name} came to nothing"
        raise RefusedError(what, why or f"its run is {status.lower()}", f"See {dagster.url}/runs/{run}.")
