"""KMS: signatures over what was given, so that the public key and any library can check them."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.core.exceptions import JsonRESTError
from moto.kms.exceptions import ValidationException
from moto.kms.responses import KmsResponse
from moto.kms.utils import ECDSAPrivateKey

_HASHES: dict[str, Any] = {
    "ECDSA_SHA_256": hashes.SHA256,
    "ECDSA_SHA_384": hashes.SHA384,
    "ECDSA_SHA_512": hashes.SHA512,
}


def real_signatures() -> None:
    """moto hashes a digest once more (`MessageType` is ignored) and finds a bad signature no error.

    Source: "Sign" and "Verify" in the KMS API reference. RSA keys are left to moto.
    """
    sign_with_moto, verify_with_moto = KmsResponse.sign, KmsResponse.verify

    def sign(self: KmsResponse) -> str:
        key = _key(self)
        if key is None:
            return sign_with_moto(self)
        message, algorithm = _message(self)
        value = base64.b64encode(key.private_key.private_key.sign(message, algorithm)).decode()
        return json.dumps(
            {"KeyId": key.arn, "Signature": value, "SigningAlgorithm": self._get_param("SigningAlgorithm")}
        )

    def verify(self: KmsResponse) -> str:
        key = _key(self)
        if key is None:
            return verify_with_moto(self)
        message, algorithm = _message(self)
        value = base64.b64decode(self._get_param("Signature"))
        try:
            key.private_key.private_key.public_key().verify(value, message, algorithm)
        except InvalidSignature:
            raise JsonRESTError("KMSInvalidSignatureException", "") from None
        named = self._get_param("SigningAlgorithm")
        return json.dumps({"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": named})

    KmsResponse.sign = sign  # type: ignore[method-assign]
    KmsResponse.verify = verify  # type: ignore[method-assign]


def _key(response: KmsResponse) -> Any:
    """The elliptic key a request names with an algorithm that fits it; None: moto answers, and refuses."""
    key_id = response._get_param("KeyId")
    response._validate_key_id(key_id)
    key = response.kms_backend.describe_key(key_id)
    fits = response._get_param("SigningAlgorithm") in key.signing_algorithms
    return key if fits and isinstance(key.private_key, ECDSAPrivateKey) and key.enabled else None


def _message(response: KmsResponse) -> tuple[bytes, ec.ECDSA]:
    """The message or digest a request holds, and how it is signed."""
    message = response._get_param("Message")
    named = response._get_param("SigningAlgorithm")
    hashed = _HASHES[named]()
    if response._get_param("MessageType") == "DIGEST":
        if len(message) != hashed.digest_size:
            raise ValidationException(f"Digest is invalid length for algorithm {named}.")
        return message, ec.ECDSA(Prehashed(hashed))
    if not 1 <= len(message) <= 4096:
        raise ValidationException("Member must have length between 1 and 4096: 'message'")
    return message, ec.ECDSA(hashed)
