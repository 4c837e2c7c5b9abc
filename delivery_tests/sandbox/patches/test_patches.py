"""Each patch to moto is needed, works, and says why it is there. See this package's docstring."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from delivery_tests.conftest import RunningSandbox, clean_environment, free_ports
from delivery_tests.sandbox.patches import inventory
from delivery_tests.sandbox.patches.probing import Caller, Probe, probes
from delivery_tests.sandbox.stack import eventually

ROOT = Path(__file__).parents[3]
BARE = [p for p in probes() if not p.not_bare]


def _name(probe: Probe) -> str:
    return f"{probe.patch}-{probe.run.__name__}"


@pytest.fixture(scope="session")
def bare_moto() -> Iterator[str]:
    """The address of moto as it was installed, without any patch."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        command, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(url), seconds=30)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/moto-api/data.json", timeout=2).ok
    except requests.ConnectionError:
        return False


@pytest.mark.sandbox
@pytest.mark.parametrize("probe", probes(), ids=_name)
def test_the_patch_works(probe: Probe, sandbox: RunningSandbox) -> None:
    """On the sandbox a plain client sees what the patch is for."""
    probe.run(Caller(sandbox.endpoints.aws))


@pytest.mark.sandbox
@pytest.mark.parametrize("probe", BARE, ids=_name)
def test_the_patch_is_needed(probe: Probe, bare_moto: str) -> None:
    """On bare moto the same client does not see it; when it does, the patch can go."""
    try:
        probe.run(Caller(bare_moto))
    except (AssertionError, ClientError, LookupError, ResponseParserError):  # the last: 500 as HTML
        return
    pytest.fail(f"moto does this by itself now: remove the patch {probe.patch} and this probe")


def test_every_patch_has_a_probe() -> None:
    """No function of the sandbox changes moto unseen, and no probe is of a patch that is gone."""
    patches, probed = {p.name for p in inventory.patches()}, {p.patch for p in probes()}
    assert sorted(patches - probed) == [], "write a probe of these, see delivery_tests/sandbox/patches"
    assert sorted(probed - patches) == [], "these patches are gone: remove their probes"


def test_every_patch_says_why() -> None:
    """A docstring of one sentence at least: what moto lacks."""
    assert [p.name for p in inventory.patches() if len(p.reason.split()) < 5] == []


def test_every_probe_says_what_the_patch_gives() -> None:
    """A docstring too, in the words of AWS."""
    assert [_name(p) for p in probes() if not p.run.__doc__] == []


def test_motos_version_is_exact() -> None:
    """setup.py names one version of moto, and it is the one installed: patches fit one version only."""
    pinned = re.findall(r'"moto\[[^]]*\]([^"]*)"', (ROOT / "setup.py").read_text())
    assert pinned == [f"=={version('moto')}"]
