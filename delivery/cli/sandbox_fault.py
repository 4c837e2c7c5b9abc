"""`delivery sandbox fault`: break the sandbox on purpose, and see what the delivery makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from delivery.cli.installation import Installation, pass_installation
from delivery.cli.sandbox_at import control_of
from delivery.cli.tables import show, table_of

F = TypeVar("F", bound=Callable[..., Any])


class _Examples(click.Group):
    """Its examples stay as they are written."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for line in (self.epilog or "").strip().splitlines():
                formatter.write(f"  {line.strip()}\n" if line.strip() else "\n")


@click.group(
    "fault", cls=_Examples,
    epilog="""
    delivery sandbox fault throttle ecs UpdateService --count 3
    delivery sandbox fault error elbv2 ModifyRule --status 503 --code ServiceUnavailable
    delivery sandbox fault lost ecs CreateService            # done, but the answer never arrives
    delivery sandbox fault delay cloudwatch GetMetricData --seconds 5 --count 0
    delivery sandbox fault error github "GET /repos" --status 502
    delivery sandbox fault slot web-staging-blue errors --rate 0.3
    delivery sandbox fault slot web-staging-blue crash --count 1
    delivery sandbox fault registry full
    delivery sandbox fault quota 10 --seconds 60             # GitHub's rate limit
    delivery sandbox fault list
    delivery sandbox fault clear
    """,
)  # fmt: skip
def group() -> None:
    """Break the running sandbox on purpose.

    Faults of calls (throttle, error, delay, lost, hang) name a service, an operation as AWS calls it, and how
    many calls they are for. A slot is named as its ECS service. Seconds are AWS's: they shrink with
    `sandbox up --time-scale`. Everything holds until it is used up or cleared.
    """


def _of_calls(function: F) -> F:
    """The arguments that say which calls."""
    for decorate in reversed(
        (
            click.argument("service"),
            click.argument("operation", default=""),
            click.option(
                "--count", type=int, default=1, show_default=True, help="So many calls; 0: until cleared."
            ),
            click.option("--after", type=int, default=0, help="Let so many calls through first."),
            click.option(
                "--target", default="", help="Only calls with this text in them, e.g. a service's name."
            ),
            click.option("--probability", type=float, default=1.0, help="Of each call, above 0 and up to 1."),
            click.option("--seed", type=int, default=0, help="The same seed hits the same calls."),
            pass_installation,
        )
    ):
        function = decorate(function)  # type: ignore[assignment]
    return function


def _add(installation: Installation, kind: str, service: str, operation: str, more: dict[str, Any]) -> None:
    control_of(installation).fault(service, operation, kind=kind, **more)
    often = f"the next {more['count']} calls" if more["count"] else "all calls until `fault clear`"
    often = "the next call" if more["count"] == 1 else often
    click.echo(f"{service} {operation or '(any operation)'}: {kind} for {often}.", err=True)


@group.command()
@_of_calls
def throttle(installation: Installation, service: str, operation: str, **more: Any) -> None:
    """Refuse calls in the words the SERVICE throttles with (ThrottlingException, SlowDown, …)."""
    _add(installation, "throttle", service, operation, more)


@group.command()
@click.option("--status", type=int, default=500, show_default=True, help="HTTP status of the refusal.")
@click.option("--code", default="InternalFailure", show_default=True, help="The error's code.")
@_of_calls
def error(installation: Installation, service: str, operation: str, **more: Any) -> None:
    """Answer calls with an error; nothing is done."""
    _add(installation, "error", service, operation, more)


@group.command()
@click.option("--seconds", type=float, required=True, help="How late the call is done.")
@_of_calls
def delay(installation: Installation, service: str, operation: str, **more: Any) -> None:
    """Do calls late."""
    _add(installation, "delay", service, operation, more)


@group.command()
@_of_calls
def lost(installation: Installation, service: str, operation: str, **more: Any) -> None:
    """Do calls, and close the connection instead of answering."""
    _add(installation, "lost", service, operation, more)


@group.command()
@click.option("--seconds", type=float, required=True, help="How long the connection stays silent.")
@_of_calls
def hang(installation: Installation, service: str, operation: str, **more: Any) -> None:
    """Keep the connection silent, then close it; nothing is done."""
    _add(installation, "hang", service, operation, more)


@group.command()
@click.argument("name")
@click.argument("kind", type=click.Choice(["crash", "leak", "slow", "errors", "ok"]))
@click.option("--seconds", type=float, help="slow: what a request waits. leak: until the memory is full. "
              "crash: how long a task lives.")  # fmt: skip
@click.option("--rate", type=float, help="errors: the share of requests, above 0 and up to 1.")
@click.option("--status", type=int, help="errors: the HTTP status (usually 500).")
@click.option("--path", help="slow, errors: only requests whose path begins so.")
@click.option("--count", type=int, help="crash, leak: so many tasks; 0 (usual): until cleared.")
@pass_installation
def slot(installation: Installation, name: str, kind: str, **more: Any) -> None:
    """Let the tasks of a slot crash, leak memory, turn slow or answer errors; `ok` ends it.

    NAME is the ECS service, e.g. web-staging-blue. Tasks that start later have it, too.
    """
    control_of(installation).slot(name, kind, **{k: v for k, v in more.items() if v is not None})
    click.echo(f"{name}: {kind}.", err=True)


@group.command()
@click.argument("state", type=click.Choice(["up", "down", "full"]))
@pass_installation
def registry(installation: Installation, state: str) -> None:
    """Stop the registry behind ECR, or fill its disk: pulls work then, pushes do not."""
    control_of(installation).registry(state)
    click.echo(f"The registry is {state}.", err=True)


@group.command()
@click.argument("state", type=click.Choice(["up", "stopped"]))
@pass_installation
def docker(installation: Installation, state: str) -> None:
    """Let ECS lose its Docker engine: no task starts or is looked at. What runs goes on running."""
    control_of(installation).docker(state == "up")
    click.echo(f"ECS sees Docker {state}.", err=True)


@group.command()
@click.option("--seconds", type=float, required=True, help="Ahead of this machine's clock; negative: behind.")
@pass_installation
def skew(installation: Installation, seconds: float) -> None:
    """Set AWS's clock off. Beyond 300 s (S3: 900 s) it refuses what is signed with this machine's."""
    control_of(installation).skew(seconds)
    click.echo(f"AWS's clock is {seconds:+g} s off.", err=True)


@group.command()
@click.argument("state", type=click.Choice(["up", "stuck"]))
@pass_installation
def dns(installation: Installation, state: str) -> None:
    """Let changes of DNS records stay PENDING."""
    control_of(installation).dns_stuck(state == "stuck")
    click.echo(f"DNS changes are {'stuck' if state == 'stuck' else 'going on'}.", err=True)


@group.command()
@click.argument("limit", type=click.IntRange(min=0))
@click.option("--login", default="sandbox", show_default=True, help="Whose; '' for everybody.")
@click.option("--seconds", type=float, default=3600, show_default=True, help="Until there are as many again.")
@pass_installation
def quota(installation: Installation, limit: int, **more: Any) -> None:
    """Let GitHub allow a user LIMIT requests (its primary rate limit); `throttle github` is the secondary."""
    control_of(installation).quota(limit, **more)
    click.echo(f"GitHub allows {more['login'] or 'everybody'} {limit} requests.", err=True)


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@pass_installation
def listed(installation: Installation, as_json: bool) -> None:
    """What is broken, and what is going to be."""
    found = control_of(installation).faults()
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif not found:
        click.echo("Nothing is broken.")
    else:
        table = table_of("what", "fault", "how")
        for fault in found:
            table.add_row(*told(fault))
        show(table)


@group.command()
@pass_installation
def clear(installation: Installation) -> None:
    """Everything works again. What was killed stays dead."""
    control_of(installation).clear()
    click.echo("Everything works again.", err=True)


def told(fault: dict[str, Any]) -> tuple[str, str, str]:
    """A fault in force in words: what it is about, its kind, and the rest."""
    words: dict[str, Callable[[Any], str]] = {
        "count": lambda v: f"{v} more" if v else "until cleared",
        "seconds": lambda v: f"{v:g} s" if v else "",
        "rate": lambda v: f"{v:.0%} of requests" if fault["kind"] == "errors" else "",
        "path": lambda v: f"path {v}" if v != "/" else "",
        "status": lambda v: f"status {v}" if fault["kind"] in ("error", "errors", "throttle") else "",
        "code": str,
        "requests": lambda v: f"{v} requests an hour",
        "after": lambda v: f"after {v} calls",
        "target": lambda v: f"with {v!r}",
        "probability": lambda v: f"{v:.0%} of calls",
    }
    parts = [words[name](value) for name, value in fault.items() if name in words]
    return str(fault["what"]), str(fault["kind"]), ", ".join(p for p in parts if p)
