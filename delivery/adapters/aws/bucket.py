"""The installation's S3 bucket: the ledger, the artifacts and Terraform's state live in it side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from delivery.adapters.aws.errors import code_of, translated
from delivery.adapters.aws.session import Aws
from delivery.errors import NotFoundError, PrerequisiteError


class Bucket:
    """Objects by key. A missing bucket has its own sentence, for it is a step of set-up left out."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws, self.name = aws, name

    def get(self, key: str) -> tuple[bytes, str] | None:
        """The object's bytes and ETag; None if there is none."""
        try:
            with self.using(f"s3://{self.name}/{key} could not be read"):
                found = self._client.get_object(Bucket=self.name, Key=key)
                return found["Body"].read(), found["ETag"]
        except NotFoundError:
            return None

    def put(self, key: str, body: bytes, content_type: str, **conditions: str) -> str:
        """Write the object, encrypted at rest; its new ETag. `conditions`: `IfMatch`, `IfNoneMatch`.

        ConflictError when a condition does not hold, NotFoundError for `IfMatch` on an object that is gone.
        """
        with self.using(f"s3://{self.name}/{key} could not be written"):
            written = self._client.put_object(
                Bucket=self.name, Key=key, Body=body, ContentType=content_type,
                ServerSideEncryption="AES256", **conditions,
            )  # fmt: skip
        return str(written["ETag"])

    def exists(self, key: str) -> bool:
        """Whether the object exists."""
        try:
            with self.using(f"s3://{self.name}/{key} could not be looked up"):
                self._client.head_object(Bucket=self.name, Key=key)
        except NotFoundError:
            # HeadObject has no error body: it does not tell a missing key from a missing bucket.
            self._require()
            return False
        return True

    def tags(self, prefix: str) -> dict[str, str]:
        """The ETag of every object under a prefix by its key, a call for each thousand.

        A listing shows every write that came before it ("Amazon S3 data consistency model", S3 user guide).
        """
        with self.using(f"The documents of s3://{self.name}/{prefix} could not be listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
            return {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", ())}

    @property
    def _client(self) -> Any:
        return self._aws.client("s3")

    def _require(self) -> None:
        with self.using(f"The bucket {self.name} could not be looked up"):
            self._client.list_objects_v2(Bucket=self.name, MaxKeys=1)

    @contextmanager
    def using(self, what: str) -> Iterator[None]:
        """Translate what goes wrong with a request to this bucket."""
        with translated(what):
            try:
                yield
            except ClientError as error:
                if code_of(error) != "NoSuchBucket":
                    raise
                raise PrerequisiteError(
                    what, f"the bucket {self.name} does not exist",
                    "Make it with `delivery bootstrap`, or set DELIVERY_BUCKET to the one that was made.",
                ) from None  # fmt: skip
