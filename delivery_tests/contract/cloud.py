"""What the AWS adapters' contract suites share: the product's session on the sandbox, and its things."""

from __future__ import annotations

import socket
import uuid

from delivery.adapters.aws.session import Aws
from delivery_tests.conftest import RunningSandbox


def aws_of(sandbox: RunningSandbox) -> Aws:
    """The product's own session, configured as an installation is: by its environment."""
    return Aws(sandbox.endpoints.region, environment=sandbox.environment)


def new_bucket(sandbox: RunningSandbox) -> str:
    """A bucket of its own."""
    name = f"contract-{uuid.uuid4().hex[:12]}"
    sandbox.client("s3").create_bucket(Bucket=name)
    return name


def new_key(sandbox: RunningSandbox) -> str:
    """A signing key as `infra/modules/signing-key` makes it; its alias."""
    kms, alias = sandbox.client("kms"), f"alias/contract-{uuid.uuid4().hex[:12]}"
    made = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=alias, TargetKeyId=made)
    return alias


def aws_that_does_not_answer() -> Aws:
    """A session whose endpoint nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    keys = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
    return Aws("us-east-1", f"http://127.0.0.1:{port}", keys)
