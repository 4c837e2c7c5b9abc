"""Signatures by a KMS key that never leaves KMS (ECC_NIST_P256, made by `infra/modules/signing-key`)."""

from __future__ import annotations

import base64
import hashlib

from botocore.exceptions import ClientError

from delivery.adapters.aws.errors import code_of, translated
from delivery.adapters.aws.session import Aws
from delivery.core.attestation import Signature
from delivery.errors import NotFoundError

ALGORITHM = "ECDSA_SHA_256"


class KmsSigner:
    """`Signer` with KMS. `key` is an alias, key id or ARN.

    KMS is given the digest: a message of its own may be 4096 bytes at most (API reference, `Sign`).
    """

    def __init__(self, aws: Aws, key: str) -> None:
        self._aws, self._key = aws, key

    def sign(self, payload: bytes) -> Signature:
        """Sign these bytes; NotFoundError when the key does not exist."""
        try:
            with translated(f"The statement could not be signed with {self._key}"):
                signed = self._aws.client("kms").sign(
                    KeyId=self._key,
                    Message=_digest(payload),
                    MessageType="DIGEST",
                    SigningAlgorithm=ALGORITHM,
                )
        except NotFoundError as error:
            raise self._missing(error.what) from None
        return Signature(signed["KeyId"], base64.b64encode(signed["Signature"]).decode())

    def verify(self, payload: bytes, signature: Signature) -> bool:
        """Whether our key made this signature over these bytes.

        The key asked is ours, never the one the signature names: anybody can name a key.
        """
        try:
            value = base64.b64decode(signature.value, validate=True)
        except ValueError:
            return False
        if not value:
            return False
        what = f"The signature could not be checked with {self._key}"
        try:
            with translated(what):
                try:
                    found = self._aws.client("kms").verify(
                        KeyId=self._key, Message=_digest(payload), MessageType="DIGEST",
                        Signature=value, SigningAlgorithm=ALGORITHM,
                    )  # fmt: skip
                except ClientError as error:
                    if code_of(error) == "KMSInvalidSignatureException":
                        return False
                    raise
        except NotFoundError:
            raise self._missing(what) from None
        return bool(found["SignatureValid"])

    def _missing(self, what: str) -> NotFoundError:
        return NotFoundError(
            what, "KMS has no such key",
            "Make it with `delivery bootstrap`, or set DELIVERY_SIGNING_KEY to its alias.",
        )  # fmt: skip


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()
