"""`delivery bootstrap`: everything that must be there before the first commit. Safe to run again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import click

from delivery.cli.foundation import BOOTSTRAP, DNS, check_backends, check_variables, lay_foundation
from delivery.cli.installation import Installation, pass_installation
from delivery.core.service import ServiceSpec, TerraformSpec
from delivery.errors import ConfigurationError, NotFoundError, RefusedError
from delivery.flows.keys import registry_key
from delivery.flows.operation import Operation
from delivery.flows.plan import plan_problems, provision
from delivery.ports import World
from delivery.settings import Settings
from delivery.world import build_world

#: Terraform takes about 620 MB and 4 s of processor a stack, and then mostly waits for AWS.
AT_ONCE = 4

Say = Callable[[str], None]


@click.command()
@click.option("--dns", is_flag=True, help="Also make the hosted zones that do not exist yet.")
@click.option("--no-environments", is_flag=True, help="Only bucket, key, zones and registries.")
@click.option(
    "--var", "variables", multiple=True, metavar="NAME=VALUE",
    help="A variable of the stacks bootstrap, dns or registry, e.g. force_destroy=true.",
)  # fmt: skip
@pass_installation
def bootstrap(
    installation: Installation, dns: bool, no_environments: bool, variables: tuple[str, ...]
) -> None:
    """Make the infrastructure of all services with Terraform: bucket and signing key, then registries, then
    every environment, some at a time. Running it again changes only what is not as described."""
    bootstrap_world(
        installation.settings,
        installation.services,
        variables=dict(_assignment(text) for text in variables),
        dns=dns,
        environments=not no_environments,
        say=lambda line: click.echo(line, err=True),
        world=installation.world,
    )


def bootstrap_world(
    settings: Settings,
    services: Sequence[ServiceSpec],
    *,
    variables: Mapping[str, str],
    dns: bool,
    say: Say,
    environments: bool = True,
    world: World | None = None,
) -> None:
    """Apply what is missing, in the order in which one needs the other."""
    check_variables(settings.root, services, variables)
    check_backends(settings, services, dns)
    builder = _Builder(world or build_world(settings), dict(variables), say)
    lay_foundation(builder.world, settings, partial(builder.apply, "bootstrap", BOOTSTRAP), say)
    zones = builder.missing_zones(services) if dns else ()
    builder.together(
        {
            **{f"zone {zone}": partial(builder.zone, zone) for zone in zones},
            **{f"{s.name}/registry": partial(builder.registry, s) for s in services if s.registry},
        }
    )
    if environments:
        each = [(s, e.name) for s in services for e in s.environments]
        builder.together({f"{s.name}/{name}": partial(builder.environment, s, name) for s, name in each})
    say("everything is there")


@dataclass(frozen=True, slots=True)
class _Builder:
    """Applies stacks; every line it says begins with the name of what it is about."""

    world: World
    variables: Mapping[str, str]
    say: Say

    def apply(self, name: str, spec: TerraformSpec, key: str, given: Mapping[str, str]) -> None:
        """Plan, refuse what would destroy something with a state, apply exactly that plan."""
        progress = self.progress(name)
        summary, file = self.world.planner.plan(spec, key, {**given, **self.variables}, progress)
        refused = plan_problems(summary)
        if refused:
            raise RefusedError(
                f"The stack {spec.stack} was not applied", "; ".join(refused),
                "Look at what changed in its files or in AWS.",
            )  # fmt: skip
        progress(summary.sentence())
        if not summary.empty:
            self.world.planner.apply(spec, key, summary, file, progress)
            progress("applied")

    def zone(self, zone: str) -> None:
        """A hosted zone has a state of its own: it outlives every service in it."""
        self.apply(f"zone {zone}", DNS, f"terraform/dns/{zone}.tfstate", {"zone_name": zone})

    def registry(self, service: ServiceSpec) -> None:
        """The service's ECR repository."""
        if service.registry is not None:
            given = {"service": service.name, "repository_name": service.image.repository}
            self.apply(f"{service.name}/registry", service.registry, registry_key(service.name), given)

    def environment(self, service: ServiceSpec, name: str) -> None:
        """One environment's stack, as its assets would plan and apply it."""
        progress = self.progress(f"{service.name}/{name}")
        provision(Operation(self.world, service, "bootstrap", progress), name)
        progress("ready")

    def missing_zones(self, services: Sequence[ServiceSpec]) -> tuple[str, ...]:
        """The zones that are named and that Route 53 does not have."""
        named = {e.dns.zone: e.dns.record for s in services for e in s.environments if e.dns}
        missing = []
        for zone, record in sorted(named.items()):
            try:
                self.world.dns.current(zone, record)
                self.say(f"zone {zone} │ there already")
            except NotFoundError:
                missing.append(zone)
        return tuple(missing)

    def together(self, work: Mapping[str, Callable[[], None]]) -> None:
        """Do all of it, some at a time. One failure stops none of the others; the first is raised."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            running = {name: pool.submit(do) for name, do in work.items()}
            try:
                failed = {name: error for name, f in running.items() if (error := f.exception())}
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self.say("stopping when the running applies have ended: Terraform must not lose its state")
                raise
        for name, error in failed.items():
            self.say(f"{name} │ failed: {error}")
        if failed:
            raise next(iter(failed.values()))

    def progress(self, name: str) -> Say:
        """Says lines under that name."""
        return lambda line: self.say(f"{name} │ {line}")


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigurationError(
            f"The variable {text!r} cannot be used",
            "it is not of the form NAME=VALUE",
            "E.g. tls_only=false.",
        )
    return name, value
