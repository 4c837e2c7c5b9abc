"""A repository of a running sandbox, spoken to as `docker` does: by HTTP, with ECR's login."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import requests

from delivery_tests.conftest import RunningSandbox

IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.docker.container.image.v1+json"


def digest(content: bytes) -> str:
    """What names these bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def rule(priority: int, status: str, **more: Any) -> dict[str, Any]:
    """A rule of a lifecycle policy that expires."""
    return {
        "rulePriority": priority,
        "selection": {"tagStatus": status, **more},
        "action": {"type": "expire"},
    }


@dataclass
class Repo:
    """A repository of a running sandbox, and a client of its registry that speaks HTTP."""

    sandbox: RunningSandbox
    settings: dict[str, Any] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self.ecr = self.sandbox.client("ecr")
        made = self.ecr.create_repository(repositoryName=self.name, **self.settings)["repository"]
        self.uri = made["repositoryUri"]
        self.url = f"http://{self.uri.split('/')[0]}/v2/{self.name}"

    @property
    def login(self) -> tuple[str, str]:
        """User and password, as `aws ecr get-login-password` gives them."""
        (data,) = self.ecr.get_authorization_token()["authorizationData"]
        user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        return user, password

    def upload(self, content: bytes) -> dict[str, Any]:
        """Upload a layer or configuration; how a manifest names it."""
        place = requests.post(f"{self.url}/blobs/uploads/", auth=self.login, timeout=5).headers["Location"]
        joined = "&" if "?" in place else "?"
        done = requests.put(
            f"{place}{joined}digest={digest(content)}", data=content, auth=self.login, timeout=5
        )
        done.raise_for_status()
        return {"digest": digest(content), "size": len(content)}

    def manifest(self, content: str) -> str:
        """An image's manifest, its layer uploaded."""
        config, layer = self.upload(b"{}"), self.upload(content.encode())
        layers = [{**layer, "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}]
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": IMAGE,
                "config": {**config, "mediaType": CONFIG},
                "layers": layers,
            }
        )

    def put(self, manifest: str, named: str, kind: str = IMAGE) -> requests.Response:
        """Put a manifest under a tag or its digest."""
        return requests.put(
            f"{self.url}/manifests/{named}", manifest.encode(), auth=self.login, timeout=5,
            headers={"Content-Type": kind},
        )  # fmt: skip

    def push(self, content: str, tag: str) -> str:
        """Push an image of one layer; its digest."""
        done = self.put(self.manifest(content), tag)
        assert done.status_code == 201, done.text
        return str(done.headers["Docker-Content-Digest"])

    def get(self, named: str) -> requests.Response:
        """Ask for a manifest."""
        return requests.get(f"{self.url}/manifests/{named}", auth=self.login, timeout=5)
