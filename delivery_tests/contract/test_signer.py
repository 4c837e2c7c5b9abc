"""Signatures: by a fake with a secret of its own, and by KMS."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from delivery.adapters.aws.signer import KmsSigner
from delivery.core.attestation import Signature, pre_authentication_encoding
from delivery.errors import NotFoundError
from delivery.ports import Signer
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.cloud import aws_of, new_key
from delivery_tests.fakes import FakeSigner, Wire

PAYLOAD = pre_authentication_encoding('{"predicate": {}}')


@dataclass
class Pair:
    """Our signer, and one with another key."""

    ours: Signer
    other: Signer


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def pair(request: pytest.FixtureRequest) -> Pair:
    """Two signers with different keys."""
    if request.param == "fake":
        return Pair(FakeSigner(Wire()), FakeSigner(Wire(), secret=b"other"))
    sandbox = request.getfixturevalue("sandbox")
    aws = aws_of(sandbox)
    return Pair(KmsSigner(aws, new_key(sandbox)), KmsSigner(aws, new_key(sandbox)))


def test_what_we_signed_is_ours(pair: Pair) -> None:
    """A signature is recognised, also one made a second time, and names its key."""
    signature = pair.ours.sign(PAYLOAD)
    assert pair.ours.verify(PAYLOAD, signature) and pair.ours.verify(PAYLOAD, pair.ours.sign(PAYLOAD))
    assert signature.key_id and base64.b64decode(signature.value, validate=True)


def test_a_changed_payload_is_not(pair: Pair) -> None:
    """One bit more, and the signature is no longer over it."""
    assert not pair.ours.verify(PAYLOAD + b" ", pair.ours.sign(PAYLOAD))


def test_another_keys_signature_is_not(pair: Pair) -> None:
    """A signature by another key is refused, also when it claims to be by ours."""
    foreign, ours = pair.other.sign(PAYLOAD), pair.ours.sign(PAYLOAD)
    assert not pair.ours.verify(PAYLOAD, foreign)
    assert not pair.ours.verify(PAYLOAD, Signature(ours.key_id, foreign.value))


@pytest.mark.parametrize("value", ["", "AAAA", "not base64!", "é"])
def test_garbage_is_no_signature(pair: Pair, value: str) -> None:
    """What is no signature at all is False, not an error."""
    assert not pair.ours.verify(PAYLOAD, Signature("alias/x", value))


def test_a_long_statement_can_be_signed(pair: Pair) -> None:
    """KMS takes 4096 bytes of a message at most; a statement may be longer, and its end counts."""
    long = b"x" * 10_000
    assert pair.ours.verify(long, pair.ours.sign(long))
    assert not pair.ours.verify(long[:-1] + b"y", pair.ours.sign(long))


@pytest.mark.sandbox
def test_anybody_can_check_it_with_the_public_key(sandbox: RunningSandbox) -> None:
    """It is plain ECDSA over SHA-256 of the payload: the public key and any library suffice."""
    alias = new_key(sandbox)
    der = sandbox.client("kms").get_public_key(KeyId=alias)["PublicKey"]
    public = serialization.load_der_public_key(der)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    value = base64.b64decode(KmsSigner(aws_of(sandbox), alias).sign(PAYLOAD).value)
    public.verify(value, PAYLOAD, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(value, PAYLOAD + b" ", ec.ECDSA(hashes.SHA256()))


@pytest.mark.sandbox
def test_a_missing_key_says_how_to_make_it(sandbox: RunningSandbox) -> None:
    """Without the key nothing is signed, and nothing is found false either."""
    signer = KmsSigner(aws_of(sandbox), "alias/no-such-key")
    with pytest.raises(NotFoundError, match="delivery bootstrap"):
        signer.sign(PAYLOAD)
    with pytest.raises(NotFoundError, match="DELIVERY_SIGNING_KEY"):
        signer.verify(PAYLOAD, Signature("alias/no-such-key", "AAAA"))
