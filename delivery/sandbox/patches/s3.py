"""S3: bucket policies judged by the evaluator that judges all others."""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, S3Backend

from delivery.sandbox.iam.callers import read
from delivery.sandbox.iam.evaluate import Asked, effects

#: What is known of an anonymous request. Loopback stands for TLS.
_KNOWN = {"aws:securetransport": ["true"], "aws:viaawsservice": ["false"]}


class MalformedPolicyError(S3ClientError):
    """MalformedPolicy."""

    def __init__(self) -> None:
        text = "Policies must be valid JSON and the first byte must be '{'"
        super().__init__("MalformedPolicy", text)


def readable_bucket_policies() -> None:
    """moto keeps any text as a bucket's policy, and then fails at every request to that bucket.

    Source: S3 API reference, "Error responses" (MalformedPolicy).
    """
    put = S3Backend.put_bucket_policy

    def put_bucket_policy(self: S3Backend, bucket_name: str, policy: Any) -> None:
        try:
            readable = isinstance(read(policy), dict)
        except ValueError:
            readable = False
        if not readable:
            raise MalformedPolicyError
        put(self, bucket_name, policy)

    S3Backend.put_bucket_policy = put_bucket_policy  # type: ignore[method-assign]


def conditions_of_bucket_policies() -> None:
    """moto denies all that a Deny statement names, its Condition unread: `aws:SecureTransport` shuts all out.

    Who signs is judged by the gate; this is what a policy says to everybody.
    Source: S3 user guide, "Examples of Amazon S3 bucket policies"; IAM user guide, "Condition".
    """

    def allows(self: FakeBucket, action: str, resource: str) -> Any:
        if self.policy is None:
            return PermissionResult.NEUTRAL
        said = effects(Asked(action, resource, _KNOWN), [read(self.policy)], of_resource=True)
        if "Deny" in said:
            return PermissionResult.DENIED
        return PermissionResult.PERMITTED if "Allow" in said else PermissionResult.NEUTRAL

    FakeBucket.get_permission = allows  # type: ignore[method-assign]
