"""The provenance statement: what it says, and what it must say of an image."""

from __future__ import annotations

import base64
import json

import pytest

from delivery.core.attestation import (
    Attestation,
    Signature,
    pre_authentication_encoding,
    problem_of,
    statement,
)
from delivery_tests.core.states import NEW, OLD

PAYLOAD = statement("web", "acme/web", NEW.commit, NEW.image)
ATTESTATION = Attestation(PAYLOAD, Signature("key", "c2ln"))


def test_the_statement_names_digest_commit_and_service() -> None:
    """In-toto v1 with SLSA's predicate type."""
    said = json.loads(PAYLOAD)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["subject"][0]["digest"]["sha256"] == NEW.image.digest.removeprefix("sha256:")
    assert problem_of(ATTESTATION, "web", NEW.commit, NEW.image) == ""


def test_what_is_signed_has_one_reading() -> None:
    """DSSE's encoding, as in its specification's example."""
    encoded = pre_authentication_encoding("hello")
    assert encoded == b"DSSEv1 28 application/vnd.in-toto+json 5 hello"
    envelope = json.loads(ATTESTATION.envelope())
    assert base64.b64decode(envelope["payload"]).decode() == PAYLOAD
    assert envelope["signatures"] == [{"keyid": "key", "sig": "c2ln"}]


@pytest.mark.parametrize(
    ("service", "commit", "image", "told"),
    [
        ("web", NEW.commit, OLD.image, "is of sha256"),
        ("web", OLD.commit, NEW.image, "names commit"),
        ("api", NEW.commit, NEW.image, "of the service web"),
    ],
)
def test_another_image_commit_or_service_is_a_problem(service: str, commit: str, image, told: str) -> None:  # type: ignore[no-untyped-def]
    """A valid statement of something else does not fit."""
    assert told in problem_of(ATTESTATION, service, commit, image)


@pytest.mark.parametrize("payload", ["", "{}", "[]", '{"subject": 1}', "null"])
def test_what_is_no_statement_is_a_problem(payload: str) -> None:
    """Garbage is told, not raised."""
    broken = Attestation(payload, ATTESTATION.signature)
    assert problem_of(broken, "web", NEW.commit, NEW.image) == "the attestation is not a provenance statement"
