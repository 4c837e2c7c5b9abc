"""A service's commits as its partitions: the UI's partition view is the matrix of commits and stages."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import dagster as dg

from delivery.core.service import ServiceSpec


def commits_of(service: str) -> dg.DynamicPartitionsDefinition:
    """The partitions of a service; a key is a full commit sha."""
    return dg.DynamicPartitionsDefinition(name=f"{service}_commits")


def added(service: str, shas: Sequence[str]) -> dg.AddDynamicPartitionsRequest:
    """The request that adds these commits. Adding one twice changes nothing."""
    return commits_of(service).build_add_request(list(shas))


def pruned(
    spec: ServiceSpec, known: Sequence[str], new: Sequence[str], keep: Collection[str]
) -> dg.DeleteDynamicPartitionsRequest | None:
    """The request that forgets the oldest partitions beyond `spec.keep_partitions`; None when there are few.

    `known` is oldest first. Those in `keep` (runs not over yet, what is live) stay. Only the partition's
    key goes: what was materialized remains in the event log, and the ledger never depends on it.
    """
    surplus = len({*known, *new}) - spec.keep_partitions
    old = [sha for sha in known if sha not in keep and sha not in new][: max(0, surplus)]
    return commits_of(spec.name).build_delete_request(old) if old else None
