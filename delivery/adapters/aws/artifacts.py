"""Hand-overs and evidence in S3, encrypted at rest (a plan file may hold secrets)."""

from __future__ import annotations

from typing import TypeVar

from delivery.adapters.aws.bucket import Bucket
from delivery.adapters.aws.codec import decode, encode
from delivery.adapters.aws.session import Aws
from delivery.errors import NotFoundError

T = TypeVar("T")


class S3Artifacts:
    """`Artifacts` under the prefix `artifacts/` of the installation's bucket."""

    def __init__(self, aws: Aws, bucket: str) -> None:
        self._bucket = Bucket(aws, bucket)

    def save(self, key: str, value: object) -> None:
        """Store one of core's dataclasses as JSON."""
        self._bucket.put(_path(key), encode(value), "application/json")

    def load(self, key: str, kind: type[T]) -> T:
        """Read it back; NotFoundError if the key does not exist, ProviderError if it does not fit."""
        return decode(self.get(key), kind, f"The artifact {key}")

    def put(self, key: str, value: bytes) -> None:
        """Store raw bytes (the plan file)."""
        self._bucket.put(_path(key), value, "application/octet-stream")

    def get(self, key: str) -> bytes:
        """The bytes; NotFoundError if the key does not exist."""
        found = self._bucket.get(_path(key))
        if found is None:
            raise NotFoundError(
                f"There is no artifact {key}",
                "the node that makes it has not run for this commit",
                "Materialize the assets upstream of this one first.",
            )
        return found[0]

    def exists(self, key: str) -> bool:
        """Whether the key exists."""
        return self._bucket.exists(_path(key))


def _path(key: str) -> str:
    return f"artifacts/{key}"
