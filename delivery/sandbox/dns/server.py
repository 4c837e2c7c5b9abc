"""Answers over UDP and TCP, so that `dig @127.0.0.1 -p … www.example.test` tells the truth."""

from __future__ import annotations

import random
import socketserver
from collections.abc import Callable, Sequence
from typing import Any

from dnslib import DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger
from dnslib.server import DNSServer as Listener

from delivery.sandbox.dns.answer import Zones, answer


class _Resolver(BaseResolver):
    def __init__(self, zones: Callable[[], Zones]) -> None:
        self._zones = zones

    def resolve(self, request: DNSRecord, handler: Any) -> DNSRecord:
        return answer(request.pack(), self._zones(), _by_weight)


class _Handler(DNSHandler):
    udplen = 512  # a longer answer is cut, and asked for again over TCP


class _Udp(socketserver.ThreadingMixIn, socketserver.UDPServer):
    """Unlike the library's own, it does not share its port with whoever has it already."""

    daemon_threads, allow_reuse_address = True, False


class DnsServer:
    """Route 53's name server on 127.0.0.1; `zones()` is asked anew for each query."""

    def __init__(self, port: int, zones: Callable[[], Zones]) -> None:
        self._started = False
        resolver, logger = _Resolver(zones), DNSLogger("-request,-reply,-recv,-send,-truncated,-data")
        self._listeners = [
            Listener(resolver, "127.0.0.1", port, tcp, logger, _Handler, None if tcp else _Udp)
            for tcp in (False, True)
        ]

    def start(self) -> None:
        """Answer from threads."""
        for listener in self._listeners:
            listener.start_thread()
        self._started = True

    def stop(self) -> None:
        """Give the port back."""
        for listener in self._listeners:
            if self._started:  # else it would wait for a loop that never ran
                listener.stop()
            listener.server.server_close()


def _by_weight(weights: Sequence[int]) -> int:
    return random.choices(range(len(weights)), weights)[0]
