"""The public name follows the healthy release."""

from __future__ import annotations

from delivery.core.analysis import VerdictPhase
from delivery.errors import RefusedError
from delivery.flows.operation import Operation, contract_of
from delivery.flows.report import verdict_of


def point_dns(op: Operation, environment: str, sha: str) -> str | None:
    """Point the environment's record at its load balancer; None when no DNS is configured.

    RefusedError unless this commit's release was judged healthy.
    """
    dns = op.spec(environment).dns
    if dns is None:
        return None
    verdict = verdict_of(op, environment, sha)
    if verdict.phase is not VerdictPhase.SUCCESSFUL:
        raise RefusedError(
            f"{dns.record} was not pointed at {environment}", f"health is {verdict.phase}: {verdict.reason}",
            "Only a healthy release gets the name.",
        )  # fmt: skip
    contract = contract_of(op.record(environment))
    return op.world.dns.point(dns.zone, dns.record, contract, op.progress)
