"""Errors, printed in one place: what happened, why, and what to do next. Exit codes: 2 and 1."""

from __future__ import annotations

import sys

import click

from delivery.errors import ConfigurationError, DeliveryError


def is_ours(error: BaseException) -> bool:
    """Whether it is written for people: the house's own, or the sandbox's. All others are faults of ours."""
    # Asked of what is loaded already: nobody but the sandbox's commands should have to import it.
    sandbox = sys.modules.get("delivery.sandbox.config")
    return isinstance(error, DeliveryError) or (
        sandbox is not None and isinstance(error, sandbox.SandboxError)
    )


def report(error: BaseException) -> int:
    """Print the error to stderr; the exit code that belongs to it."""
    what, why, hint = (str(getattr(error, name)).rstrip() for name in ("what", "why", "hint"))
    sentence = f"{what.rstrip('.')}: {why.rstrip('.')}" if why else what.rstrip(".")
    end = "" if "\n" in why else "."
    click.echo(f"{click.style('Error:', fg='red', bold=True)} {sentence}{end}", err=True)
    if hint:
        click.echo(f"{click.style('Hint:', fg='cyan', bold=True)}  {hint}", err=True)
    return 2 if isinstance(error, ConfigurationError) else 1
