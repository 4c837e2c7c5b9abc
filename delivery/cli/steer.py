"""A person and a rollout: stop it, let it go on, give it up, return to a verified release.

Each is a Dagster run, so that the lineage has it; its log is told here until it ends. `--direct` does the
same from this process, under the same lock in the ledger, for the hour in which Dagster is down.
"""

from __future__ import annotations

from functools import partial
from typing import NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from delivery.cli.dagster import with_hint
from delivery.cli.installation import Installation, pass_installation
from delivery.cli.operate import as_me, because, operation
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.errors import DeliveryError, PrerequisiteError, ProviderError, RefusedError
from delivery.flows.patience import to_give_up
from delivery.flows.steering import Order, steer

DIRECT = "Start Dagster (`delivery up`), or add `--direct`: it is done from here, under the same lock."

#: Exit code of a command that was left with Ctrl-C (128 + SIGINT), and seconds a run may wait to be started.
INTERRUPTED, QUEUE = 130, 120.0

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
    """Give up the rollout in flight of SERVICE in ENVIRONMENT: its traffic goes back, it is not judged.

    Waits until it is over, and says how it ended. Ctrl-C ends the waiting only.
    """
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
    """Do it; a person at a terminal sees meanwhile what the ledger says. Ctrl-C ends the looking only."""
    spec, env = installation.environment(service, environment)
    with Console(stderr=True).status(f"{order.word} {spec.name} {env.name}") as shown:
        if not direct:
            _by_a_run(installation, spec, env, order, shown)
            return
        try:
            steer(operation(installation, spec, order.by), env.name, order, drive=True)
        except KeyboardInterrupt:
            _left(spec, "What this command has begun, the backstop goes on with when its lock has expired.")


def _by_a_run(
    installation: Installation, spec: ServiceSpec, env: EnvironmentSpec, order: Order, shown: Status
) -> None:
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
    look = partial(_look, installation, spec, env, shown)
    within = to_give_up(env) + QUEUE if order.word == "abort" else None
    try:
        status, why = dagster.follow(run, partial(click.echo, err=True), within, look)
    except (PrerequisiteError, ProviderError) as lost:
        raise ProviderError(
            f"The run {run[:8]} was lost sight of", lost.why, "It goes on; look with `delivery status`."
        ) from None
    except KeyboardInterrupt:
        _left(spec, f"The run {run[:8]} goes on: {dagster.url}/runs/{run}.")
    if status != "SUCCESS":
        what = f"`{order.word}` of {spec.name}/{env.name} came to nothing"
        raise RefusedError(what, why or f"its run is {status.lower()}", f"See {dagster.url}/runs/{run}.")


def _look(installation: Installation, spec: ServiceSpec, env: EnvironmentSpec, shown: Status) -> None:
    """Show where the rollout is by the ledger; that it cannot be read now is no reason to stop looking."""
    if not shown.console.is_terminal:
        return
    try:
        rollout = installation.world.ledger.load(spec.name, env.name).record.rollout
    except DeliveryError:
        return
    if rollout is not None:
        share = rollout.history[-1].weight if rollout.history else 0
        shown.update(escape(f"{rollout.release.id} is {rollout.phase.lower()}, {share} % of the traffic"))


def _left(spec: ServiceSpec, what: str) -> NoReturn:
    """Ctrl-C."""
    told = f"You stopped looking, and nothing was taken back. {what}"
    click.echo(f"\n{told} Look with `delivery status {spec.name}`.", err=True)
    raise click.exceptions.Exit(INTERRUPTED)
