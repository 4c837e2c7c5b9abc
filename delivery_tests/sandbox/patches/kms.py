"""KMS's probes."""

import hashlib

from delivery_tests.sandbox.patches.probing import Caller, probe


@probe("patches.kms.real_signatures")
def real_signatures(caller: Caller) -> None:
    """A signature over a digest is one over the message it is the digest of."""
    kms = caller.client("kms")
    key = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"]
    of = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256"}
    digest = hashlib.sha256(b"release").digest()
    signature = kms.sign(**of, Message=digest, MessageType="DIGEST")["Signature"]
    assert kms.verify(**of, Message=b"release", MessageType="RAW", Signature=signature)["SignatureValid"]
