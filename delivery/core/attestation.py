"""Where an image comes from, in a statement signed when it is built and checked before it is deployed.

The statement is an in-toto Statement v1, the envelope DSSE (github.com/secure-systems-lab/dsse). It claims
what SLSA calls build level 1 plus a signature: which commit of which repository gave this digest. Not more.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from delivery.core.release import Image

PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature over DSSE's pre-authentication encoding; `key_id` names the key, `value` is base64."""

    key_id: str
    value: str


@dataclass(frozen=True, slots=True)
class Attestation:
    """A signed statement: `payload` is the statement's JSON text."""

    payload: str
    signature: Signature

    def envelope(self) -> str:
        """The DSSE envelope other tools read."""
        body = base64.b64encode(self.payload.encode()).decode()
        signatures = [{"keyid": self.signature.key_id, "sig": self.signature.value}]
        return json.dumps({"payloadType": PAYLOAD_TYPE, "payload": body, "signatures": signatures})

    @property
    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return pre_authentication_encoding(self.payload)


def statement(service: str, repository: str, commit: str, image: Image) -> str:
    """The in-toto statement: this digest of the service was built from this commit."""
    algorithm, _, value = image.digest.partition(":")
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": image.repository, "digest": {algorithm: value}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": "https://mobyproject.org/build",
                    "externalParameters": {"service": service, "repository": repository},
                    "resolvedDependencies": [{"digest": {"gitCommit": commit}}],
                }
            },
        },
        sort_keys=True,
    )


def pre_authentication_encoding(payload: str) -> bytes:
    """DSSE's PAE: lengths before contents, so that nothing can be read in two ways."""
    kind, body = PAYLOAD_TYPE.encode(), payload.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def problem_of(attestation: Attestation, service: str, commit: str, image: Image) -> str:
    """What the statement does not say of this image; empty when it fits. It checks no signature."""
    try:
        said: dict[str, Any] = json.loads(attestation.payload)
        digests = [f"sha256:{s['digest']['sha256']}" for s in said["subject"]]
        build = said["predicate"]["buildDefinition"]
        commits = [d["digest"]["gitCommit"] for d in build["resolvedDependencies"]]
        of_service = build["externalParameters"]["service"]
    except (ValueError, KeyError, TypeError):
        return "the attestation is not a provenance statement"
    if image.digest not in digests:
        return f"the attestation is of {', '.join(digests)}, not of {image.digest}"
    if commit not in commits:
        return f"the attestation names commit {', '.join(commits)}, not {commit}"
    if of_service != service:
        return f"the attestation is of the service {of_service}, not {service}"
    return ""
