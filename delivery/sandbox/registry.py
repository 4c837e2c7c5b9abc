"""The Docker registry behind ECR: Debian's `docker-registry` on loopback, its blobs in the state folder."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from delivery.sandbox.config import SandboxError, which

_CONFIG = """version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""


class RegistryProcess:
    """One registry process."""

    def __init__(self, port: int, state_dir: Path) -> None:
        self._port, self._folder = port, state_dir / "registry"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`host:port`, as it stands in an image's name."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, unless it runs, and return when it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "config.yml"
        config.write_text(_CONFIG.format(root=self._folder / "blobs", port=self._port))
        log = self._folder / "registry.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [which("docker-registry") or "docker-registry", "serve", str(config)],
                stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                why = (log.read_text().strip().splitlines() or ["no answer"])[-1][:300]
                raise SandboxError("The sandbox's registry did not start", why, f"See {log}.")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.url}/v2/", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
