"""Terraform and its AWS provider: from this machine if it has them, else from HashiCorp, verified."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".tools"
VERSION = "1.11.4"
MINIMUM = (1, 10)
#: Of the release's zip files, as published in terraform_1.11.4_SHA256SUMS.
SHA256 = {
    "amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
HINT = (
    "Install Terraform 1.10 or newer (developer.hashicorp.com/terraform/install) on PATH, and run this again."
)


class Refused(Exception):
    """What happened, and what to do."""


def main() -> None:
    """Both, or an error that says how to get them."""
    try:
        terraform()
        provider()
    except Refused as error:
        what, hint = error.args
        print(f"\033[31mError:\033[0m {what}\n\033[36mHint:\033[0m  {hint}", file=sys.stderr)
        raise SystemExit(1) from None


def terraform() -> None:
    """The program: the one on PATH if it is new enough, else the pinned release in `.tools`."""
    found = shutil.which("terraform")
    if found and _version(found) >= MINIMUM:
        return
    architecture = MACHINES.get(platform.machine())
    if architecture is None:
        raise Refused(f"Terraform is missing, and this machine ({platform.machine()}) is not known.", HINT)
    name = f"terraform_{VERSION}_linux_{architecture}.zip"
    url = f"https://releases.hashicorp.com/terraform/{VERSION}/{name}"
    print(f"\033[36msetup\033[0m getting Terraform {VERSION}", file=sys.stderr)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except OSError as error:
        raise Refused(f"Terraform is missing and {url} cannot be reached: {error}.", HINT) from None
    if hashlib.sha256(content).hexdigest() != SHA256[architecture]:
        raise Refused(f"{url} does not have the expected SHA-256 checksum; it was not installed.", HINT)
    program = TOOLS / "terraform"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        program.write_bytes(archive.read("terraform"))
    program.chmod(0o755)


def provider() -> None:
    """The AWS provider, kept in `.tools/providers`, unless the machine or its user has a mirror."""
    from delivery.adapters.terraform.command import MIRROR, own_configuration, plugin_arguments

    if own_configuration(os.environ) or plugin_arguments(os.environ, TOOLS):
        return
    print("\033[36msetup\033[0m getting Terraform's AWS provider", file=sys.stderr)
    done = subprocess.run(
        ["terraform", "providers", "mirror", str(TOOLS / MIRROR)],
        cwd=ROOT / "infra/stacks/service", capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        shutil.rmtree(TOOLS / MIRROR, ignore_errors=True)
        raise Refused(
            f"Terraform's AWS provider could not be fetched: {last}",
            "Give this machine internet once, or a mirror (provider_installation in ~/.terraformrc).",
        )
    for packed in (TOOLS / MIRROR).rglob("*.zip"):
        _unpack(packed)


def _unpack(packed: Path) -> None:
    """An unpacked provider is linked to; a packed one would be unpacked again, 600 MB, for every stack."""
    _, version, system, machine = packed.stem.rsplit("_", 3)
    folder = packed.parent / version / f"{system}_{machine}"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)
    for program in folder.glob("terraform-provider-*"):
        program.chmod(0o755)
    packed.unlink()


def _version(program: str) -> tuple[int, ...]:
    shown = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Terraform v(\d+)\.(\d+)", shown)
    return tuple(map(int, found.groups())) if found else (0,)


if __name__ == "__main__":
    main()
