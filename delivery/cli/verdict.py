"""`delivery verdict`: how a commit was judged, on what evidence, and whether that still comes to the same."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.markup import escape

from delivery.cli.installation import Installation, pass_installation
from delivery.cli.operate import operation
from delivery.cli.tables import show, table_of
from delivery.core.accepting import told
from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.replaying import Replayed, Rules, differences, recomputable, replay
from delivery.core.service import EnvironmentSpec
from delivery.errors import NotFoundError
from delivery.flows.evidence import kept_verdict

COLOURS = {"Successful": "green", "Failed": "bold red", "Inconclusive": "yellow", "Error": "magenta"}


@click.command()
@click.argument("service")
@click.argument("environment")
@click.argument("commit", required=False)
@click.option("--replay", "again", is_flag=True, help="Compute it again; exit code 1 when it differs.")
@click.option(
    "--rules", type=click.Choice(("then", "today")), default="then", show_default=True,
    help="With --replay: the rules kept with it, or those of the service's file now.",
)  # fmt: skip
@click.option("--evidence", is_flag=True, help="The queries and samples as well.")
@pass_installation
@click.pass_context
def verdict(
    ctx: click.Context,
    installation: Installation,
    service: str,
    environment: str,
    commit: str | None,
    again: bool,
    rules: str,
    evidence: bool,
) -> None:
    """How COMMIT (default: the last one) of SERVICE was judged in ENVIRONMENT, rule by rule."""
    spec, env = installation.environment(service, environment)
    sha, kept = kept_verdict(operation(installation, spec, "looking"), env.name, commit)
    replayed = _replayed(sha, kept, env if rules == "today" else None) if again else None
    click.echo(
        f"{service} {environment} {sha[:12]}: {kept.phase}, judged {kept.judged_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    click.echo(kept.reason)
    for word in kept.accepted:
        click.echo(click.style(f"{told((word,))} ({word.at:%Y-%m-%d %H:%M} UTC): {word.what}", fg="yellow"))
    _show([r for r in kept.results if not r.dry_run], replayed, "")
    _show([r for r in kept.results if r.dry_run], replayed, "Watched, not counted")
    if evidence:
        _evidence(kept)
    if replayed is not None:
        ctx.exit(_compare(kept, replayed, rules))


def _replayed(sha: str, kept: Verdict, environment: EnvironmentSpec | None) -> Replayed:
    if not recomputable(kept):
        raise NotFoundError(
            f"The verdict of {sha[:8]} cannot be computed again",
            "no samples were kept with it: " + kept.reason,
        )
    today = None
    if environment is not None:
        today = Rules({rule.name: rule for rule in environment.rules}, environment.compare)
    return replay(kept, today)


def _show(results: Sequence[RuleResult], replayed: Replayed | None, title: str) -> None:
    if not results:
        return
    click.echo("")
    if title:
        click.echo(click.style(title, bold=True))
    columns = ["Rule", "Result", "Candidate", "Baseline", "Why", "Limit"]
    table = table_of(*([*columns[:2], "Again", *columns[2:]] if replayed else columns))
    now = {r.rule: r for r in replayed.verdict.results} if replayed else {}
    for result in results:
        cells = [escape(result.rule), _phase(result)]
        if replayed:
            cells.append(_phase(now[result.rule]) if result.rule in now else "no such rule")
        table.add_row(*cells, *map(escape, (*figures(result), result.reason, result.limit)))
    show(table)


def _phase(result: RuleResult) -> str:
    could_look = result.phase is not VerdictPhase.ERROR
    word = result.compared.label if result.compared and could_look else result.phase.value
    colour = COLOURS[result.phase.value]
    return f"[{colour}]{word}[/{colour}]"


def figures(result: RuleResult) -> tuple[str, str]:
    """What was measured: the candidate's median or share, or a threshold's newest sample; the baseline's."""
    if result.compared is not None:
        return result.compared.figures
    return (f"{result.samples[-1].value:g}" if result.samples else ""), ""


def _evidence(kept: Verdict) -> None:
    """Each query with what it answered."""
    for result in kept.results:
        sides = [("", result.samples)]
        if result.compared is not None:
            sides = [
                ("candidate ", result.compared.candidate.samples),
                ("baseline ", result.compared.baseline.samples),
            ]
        if result.query or any(samples for _, samples in sides):
            click.echo(f"\n{result.rule}: {result.query}")
        for name, samples in sides:
            if samples:
                values = " ".join(f"{s.value:g}" for s in samples)
                click.echo(f"  {name}{samples[0].at:%H:%M:%S} to {samples[-1].at:%H:%M:%S} UTC: {values}")


def _compare(kept: Verdict, replayed: Replayed, rules: str) -> int:
    """Say whether it comes to the same; the exit code."""
    changed = differences(kept, replayed.verdict)
    with_ = "the rules of then" if rules == "then" else "today's rules"
    click.echo("")
    for name in replayed.dropped:
        click.echo(f"{name}: there is no such rule any more, it was left out")
    for name in replayed.unseen:
        click.echo(f"{name}: a rule of today, of which there is no evidence")
    if not changed:
        click.echo(f"The same with {with_}: {replayed.verdict.phase}.")
        return 0
    click.echo(f"Differs with {with_}: {replayed.verdict.phase}: {replayed.verdict.reason}")
    click.echo(f"Not the same: {', '.join(changed)}")
    return 1
