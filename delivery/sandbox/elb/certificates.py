"""Certificates of HTTPS listeners as files for the proxy. ACM's here have a real key, and no real CA."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class CertificateFiles:
    """Writes each certificate once. `find` gives certificate, chain and key as PEM, None if it is unknown."""

    folder: Path
    find: Callable[[str], bytes | None]

    def __call__(self, listener: Any) -> tuple[str, ...]:
        """The files of a listener's certificates, the default one first; none when one is not to be had."""
        if listener.protocol != "HTTPS":
            return ()
        arns = list(dict.fromkeys([*([listener.certificate] if listener.certificate else []),
                                   *listener.certificates]))  # fmt: skip
        files = [self._file(arn) for arn in arns]
        return tuple(files) if files and all(files) else ()

    def _file(self, arn: str) -> str:
        content = self.find(arn)
        if content is None:
            return ""
        path = self.folder / f"certificate-{hashlib.sha256(content).hexdigest()[:24]}.pem"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.write(content)
        return str(path)


def pem_in(acm: Any, iam: Any, arn: str) -> bytes | None:
    """A certificate with its key from moto's ACM or IAM; None for one that has no key here."""
    held = getattr(acm, "_certificates", {}).get(arn)
    if held is not None and held.key:
        return b"\n".join(_bytes(p) for p in (held.cert, held.chain, held.key) if p)
    server = iam.get_certificate_by_arn(arn) if iam is not None else None
    if server is not None and server.private_key:
        parts = (server.cert_body, server.cert_chain, server.private_key)
        return b"\n".join(_bytes(p) for p in parts if p)
    return None


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
