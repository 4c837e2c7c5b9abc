"""Terraform's failures in the house's words, with the next action."""

from __future__ import annotations

import json
import re

from delivery.errors import (
    ConflictError,
    DeliveryError,
    PrerequisiteError,
    ProviderError,
    StalePlanError,
    UnavailableError,
)

_PASSING = re.compile(
    r"RequestTimeout|Throttl|connection refused|connection reset|i/o timeout|50[0234] ", re.IGNORECASE
)


def translate(action: str, out: str, err: str, unlock: str = "terraform force-unlock") -> DeliveryError:
    """The error for a run that ended badly, from its `-json` diagnostics or its plain text.

    `unlock` is the command that, with the lock's id, takes away the lock of a dead process.
    """
    text = _diagnostics(out) or _plain(err) or _plain(out) or "no output"
    what = f"terraform {action} failed"
    if "Saved plan is stale" in text:
        return StalePlanError(
            "The plan was not applied", "the state changed since it was made", "Rerun from the asset `plan`."
        )
    if "Error acquiring the state lock" in text:
        return _locked(text, unlock)
    if "Failed to query available provider packages" in text or "provider registry" in text:
        return PrerequisiteError(
            "Terraform cannot get its AWS provider", _first(text),
            "Give it internet, or a provider mirror by ~/.terraformrc (provider_installation).",
        )  # fmt: skip
    if "ExpiredToken" in text or "No valid credential sources" in text:
        return ProviderError(what, "AWS credentials are missing or have expired", "Log in to AWS and retry.")
    if _PASSING.search(text):
        return UnavailableError(what, _first(text), "Retry; it may pass.")
    return ProviderError(what, _first(text), "The full output is in the run's log.")


def _locked(text: str, unlock: str) -> ConflictError:
    found = {k: v.strip() for k, v in re.findall(r"^[\s│]*(ID|Who|Created):\s*(.+)$", text, re.MULTILINE)}
    who, since, lock = (found.get(k, "unknown") for k in ("Who", "Created", "ID"))
    return ConflictError(
        "The Terraform state is locked", f"{who} holds it since {since}",
        f"Wait for it; if that process is dead, run `{unlock} {lock}`.",
    )  # fmt: skip


def _diagnostics(out: str) -> str:
    """Summary and detail of every error in `-json` output."""
    parts = []
    for line in out.splitlines():
        if '"diagnostic"' not in line:
            continue
        try:
            found = json.loads(line).get("diagnostic") or {}
        except ValueError:
            continue
        if found.get("severity") == "error":
            parts.append(f"{found.get('summary', '')}: {found.get('detail', '')}\n{found.get('address', '')}")
    return "\n".join(parts).strip()


def _plain(text: str) -> str:
    clean = re.sub(r"\x1b\[[0-9;]*m", "", text)
    at = clean.find("Error:")
    return clean[at + 6 :].strip(" \n") if at >= 0 else ""


def _first(text: str) -> str:
    """The message on one line, without terraform's frame."""
    words = re.sub(r"[│╷╵]", " ", text).split()
    return " ".join(words)[:400]
