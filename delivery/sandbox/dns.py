"""Route53's zones answered over UDP, so that `dig @127.0.0.1 -p … www.example.test` tells the truth."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dnslib import CNAME, QTYPE, RCODE, RR, TXT, A, DNSRecord
from moto.backends import get_backend

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `values` are addresses, a name or texts, by type."""

    name: str
    type: str
    values: tuple[str, ...]
    ttl: int = 60


def route53_records(account: str) -> Iterable[Record]:
    """Every record of moto's hosted zones; an alias is answered with its target."""
    for zone in get_backend("route53")[account]["aws"].zones.values():
        for rrset in zone.rrsets:
            alias = (rrset.alias_target or {}).get("DNSName")
            values = (alias,) if alias else tuple(_text(v) for v in rrset.records)
            yield Record(str(rrset.name).rstrip(".").lower(), str(rrset.type), values, int(rrset.ttl or 60))


def _text(value: object) -> str:
    return str(value["Value"] if isinstance(value, dict) else value).strip('"')


class DnsServer:
    """Answers A, CNAME and TXT from `records()`, asked anew for each query."""

    def __init__(self, port: int, records: Callable[[], Iterable[Record]]) -> None:
        self._port, self._records = port, records
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))

    def start(self) -> None:
        """Answer from a thread."""
        threading.Thread(target=self._serve, name="dns", daemon=True).start()

    def stop(self) -> None:
        """Give the port back."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
            except OSError:
                return  # closed
            try:
                self._socket.sendto(self.answer(query), client)
            except Exception:
                log.exception("a DNS query could not be answered")

    def answer(self, query: bytes) -> bytes:
        """The reply to one packet."""
        asked = DNSRecord.parse(query)
        name, kind = str(asked.q.qname).rstrip(".").lower(), QTYPE[asked.q.qtype]
        reply = asked.reply()
        found = [r for r in self._records() if r.name == name]
        for record in found:
            for value in record.values:
                data = _data(record.type, kind, value)
                if data is not None:
                    reply.add_answer(
                        RR(asked.q.qname, getattr(QTYPE, data.__class__.__name__), rdata=data, ttl=record.ttl)
                    )
        if not found:
            reply.header.rcode = RCODE.NXDOMAIN
        return bytes(reply.pack())


def _data(type_: str, asked: str, value: str) -> A | CNAME | TXT | None:
    """What a record says to a question; an alias to something that is no address becomes a CNAME."""
    if type_ == "A" and asked == "A":
        return A(value) if _is_address(value) else CNAME(value)
    if type_ == "CNAME" and asked in ("A", "CNAME"):
        return CNAME(value)
    if type_ == "TXT" and asked == "TXT":
        return TXT(value)
    return None


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
