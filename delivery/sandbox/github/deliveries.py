"""Webhook deliveries: an event, signed, to a URL of this machine; once, in a thread, with a record of it.

Source: GitHub Docs, "Webhook events and payloads" (delivery headers), "Validating webhook deliveries",
"Handling failed webhook deliveries": ten seconds to answer, and no second try of GitHub's own.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import threading
import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.github.shapes import now
from delivery.sandbox.github.store import Entry, Store

log = logging.getLogger(__name__)
#: Seconds a receiver has, and bytes of its answer that are kept.
TIMEOUT, KEPT = 10.0, 65536


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine and nowhere else: the sandbox speaks to no stranger."""
    parts = urlsplit(url)
    try:
        return parts.scheme in ("http", "https") and (
            parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
        )
    except ValueError:
        return False


def encoded(hook: Mapping[str, Any], text: str) -> tuple[bytes, str]:
    """The body of a delivery and its content type: JSON, or a form with the JSON in `payload`."""
    if hook["config"].get("content_type") == "json":
        return text.encode(), "application/json"
    return urlencode({"payload": text}).encode(), "application/x-www-form-urlencoded"


def headers_of(
    hook: Mapping[str, Any], repository_id: int, event: str, guid: str, body: bytes, kind: str
) -> dict[str, str]:
    """The headers of a delivery; the signatures are of exactly this body."""
    secret = str(hook["config"].get("secret") or "").encode()
    signed = {
        "X-Hub-Signature": "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest(),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
    }
    return {
        "Accept": "*/*", "Content-Type": kind, "User-Agent": "GitHub-Hookshot/5a9d0b0",
        "X-GitHub-Delivery": guid, "X-GitHub-Event": event, "X-GitHub-Hook-ID": str(hook["id"]),
        "X-GitHub-Hook-Installation-Target-ID": str(repository_id),
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        **(signed if secret else {}),
    }  # fmt: skip


class Deliveries:
    """Sends events. A hook's events go out one after the other; a slow hook holds up only itself."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, threading.Lock()
        self._waiting: dict[int, deque[tuple[str, Entry, Entry]]] = {}
        self._closed = False

    def wanted(self, full: str, event: str) -> list[Entry]:
        """The active hooks of a repository that asked for this event."""
        hooks = self._store.all(full, "hook")
        return [h for h in hooks if h["active"] and ({event, "*"} & set(h["events"]))]

    def send(self, full: str, hooks: list[Entry], event: str, payload: dict[str, Any]) -> None:
        """Send an event to hooks; returns at once."""
        for hook in hooks:
            delivery = {
                "guid": str(uuid.uuid4()), "event": event, "action": payload.get("action"),
                "redelivery": False, "repository_id": payload["repository"]["id"],
                "text": json.dumps(payload),
            }  # fmt: skip
            self._queue(full, hook, delivery)

    def again(self, full: str, hook: Entry, delivery: Entry) -> None:
        """Send a delivery once more; a new record with the old guid."""
        kept = {k: delivery[k] for k in ("guid", "event", "action", "repository_id", "text")}
        self._queue(full, hook, {**kept, "redelivery": True})

    def close(self) -> None:
        """Send nothing more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()

    def _queue(self, full: str, hook: Entry, delivery: Entry) -> None:
        with self._lock:
            if self._closed:
                return
            waiting = self._waiting.get(hook["id"])
            if waiting is not None:
                waiting.append((full, hook, delivery))
                return
            self._waiting[hook["id"]] = deque([(full, hook, delivery)])
        threading.Thread(target=self._work, args=(hook["id"],), name="webhook", daemon=True).start()

    def _work(self, hook_id: int) -> None:
        """Send what waits for a hook, then end: an idle hook costs nothing."""
        while True:
            with self._lock:
                waiting = self._waiting.get(hook_id)
                if not waiting:
                    self._waiting.pop(hook_id, None)
                    return
                full, hook, delivery = waiting.popleft()
            try:
                record = self._sent(hook, delivery)
                if not self._closed:
                    self._keep(full, hook, record)
            except Exception:
                log.exception("the delivery %s of %s failed", delivery["guid"], delivery["event"])

    def _sent(self, hook: Entry, delivery: Entry) -> Entry:
        """Send it once; the record of what came back."""
        body, kind = encoded(hook, delivery["text"])
        headers = headers_of(hook, delivery["repository_id"], delivery["event"], delivery["guid"], body, kind)
        moment, begun = now(), CLOCK.monotonic()
        status, code, response = _post(str(hook["config"]["url"]), body, headers)
        return {
            **delivery, "delivered_at": moment, "duration": round(CLOCK.monotonic() - begun, 3),
            "status": status, "status_code": code, "url": hook["config"]["url"], "installation_id": None,
            "request_headers": headers, "response": response,
        }  # fmt: skip

    def _keep(self, full: str, hook: Entry, record: Entry) -> None:
        good = record["status"] == "OK"
        last = {
            "code": record["status_code"], "status": "active" if good else "failed",
            "message": None if good else record["status"],
        }  # fmt: skip
        with self._store.transaction():
            self._store.add(full, "delivery", record, parent=str(hook["id"]))
            self._store.change(full, "hook", hook["id"], lambda known: {**known, "last_response": last})


def _cut(ended: threading.Event, answer: requests.Response) -> None:
    ended.set()
    answer.close()


def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[str, int, dict[str, Any]]:
    """One POST, without proxies and redirects; GitHub's word for how it went, a status, the answer."""
    nothing: dict[str, Any] = {"headers": {}, "payload": None}
    if not is_loopback(url):
        return "failed to connect to host", 502, nothing
    seconds = CLOCK.real(TIMEOUT)
    ended = threading.Event()
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.post(
                url, data=body, headers=headers, timeout=seconds, allow_redirects=False, stream=True
            )
            # The timeout above is for each read: a receiver that trickles is cut off by this one.
            cut = threading.Timer(seconds, _cut, (ended, answer))
            cut.daemon = True
            cut.start()
            try:
                text = answer.raw.read(KEPT, decode_content=True).decode(errors="replace")
            finally:
                cut.cancel()
        except requests.Timeout:
            return "timed out", 504, nothing
        except (requests.RequestException, OSError, ValueError, AttributeError):
            return (
                ("timed out", 504, nothing) if ended.is_set() else ("failed to connect to host", 502, nothing)
            )
    response = {"headers": dict(answer.headers), "payload": text}
    good = 200 <= answer.status_code < 300
    return "OK" if good else f"Invalid HTTP Response: {answer.status_code}", answer.status_code, response
