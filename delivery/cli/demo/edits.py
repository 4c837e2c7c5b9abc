"""The commits of the demo's developer: ordinary changes of one file of the sample service.

All four pass the gates. What is wrong with the bad ones shows only when real users ask.
"""

from __future__ import annotations

from importlib.resources import files

from delivery.cli.demo.story import Edit

#: The file that every edit writes.
FILE = "app/behaviour.py"
#: The query of death that makes the release of `poisonable` fail every other request from then on.
POISON = "/poison"


def good_v1() -> Edit:
    """The first commit: a greeting and a checkout."""
    return _edit("A greeting and a checkout", "v1")


def good_v2() -> Edit:
    """A good change."""
    return _edit("Tell the shipping costs", "v2")


def bad() -> Edit:
    """Healthy, and `/` works; `/checkout` answers 500 to everybody with an empty basket."""
    return _edit("Tell the shipping costs per item", "bad")


def poisonable() -> Edit:
    """Works until somebody asks for `POISON`; then every other answer is a 500, health aside."""
    return _edit("Remember what was asked for", "poisonable")


def _edit(subject: str, variant: str) -> Edit:
    text = (files("delivery.cli.demo.variants") / f"{variant}.py").read_text()
    return Edit(subject, {FILE: text})
