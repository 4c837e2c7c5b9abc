"""Images of small programs for the sandbox's tasks: one serves, the others misbehave."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from dataclasses import dataclass, replace
from typing import Any

import docker

from delivery.core.infra import DeployContract
from delivery.core.release import Image, Release

REPOSITORY = "stage-app"
PORT = 8080

_SERVES = f"""
import os, http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        sick = self.path == "/health" and os.environ.get("SICK")
        body = os.environ.get("DELIVERY_RELEASE", "none").encode()
        self.send_response(503 if sick else 200)
        for name in ("RELEASE", "COMMIT", "COLOUR"):
            self.send_header("X-" + name.title(), os.environ.get("DELIVERY_" + name, ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
print("serving", os.environ.get("DELIVERY_RELEASE"), flush=True)
http.server.ThreadingHTTPServer(("", {PORT}), Handler).serve_forever()
"""
_CRASHES = """
import sys, time
print("connecting to the database")
time.sleep(0.3)
print("RuntimeError: no database", file=sys.stderr, flush=True)
sys.exit(1)
"""
_EATS_MEMORY = """
print("loading everything", flush=True)
block = [bytes(16 * 1024 * 1024) for _ in range(200)]
filled = [bytearray(16 * 1024 * 1024) for _ in range(200)]
"""
_SICK = "import os; os.environ['SICK'] = '1'\n" + _SERVES

#: The programs of the images, by how they behave.
PROGRAMS = {"serves": _SERVES, "crashes": _CRASHES, "eats": _EATS_MEMORY, "sick": _SICK}


@dataclass(frozen=True)
class Images:
    """Images in the sandbox's registry, by behaviour; each commit of a behaviour has the same one."""

    by_behaviour: dict[str, Image]

    def release(self, commit: str, contract: DeployContract, behaviour: str = "serves") -> Release:
        """The release of a commit with a short name, e.g. `a`."""
        sha = hashlib.sha1(commit.encode()).hexdigest()
        return Release(contract.service, sha, self.by_behaviour[behaviour], contract.template)

    def missing(self, commit: str, contract: DeployContract) -> Release:
        """A release whose image the registry does not have."""
        present = self.release(commit, contract)
        return replace(present, image=Image(present.image.repository, f"sha256:{'0' * 64}"))


def push_images(client: docker.DockerClient, base: str, ecr: Any) -> Images:
    """Build and push one image per behaviour."""
    uri = ecr.create_repository(repositoryName=REPOSITORY)["repository"]["repositoryUri"]
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    login = {"username": user, "password": password}
    return Images({name: _push(client, base, uri, name, text, login) for name, text in PROGRAMS.items()})


def _push(
    client: docker.DockerClient, base: str, uri: str, name: str, program: str, login: dict[str, str]
) -> Image:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for path, text in (
            ("Dockerfile", f'FROM {base}\nCOPY app.py /app/app.py\nCMD ["python", "/app/app.py"]\n'),
            ("app.py", program),
        ):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(text.encode()), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=f"{uri}:{name}", rm=True, forcerm=True)
    digest = ""
    for line in client.images.push(uri, tag=name, stream=True, decode=True, auth_config=login):
        assert "error" not in line, line
        digest = line.get("aux", {}).get("Digest", digest)
    return Image(uri, digest)
