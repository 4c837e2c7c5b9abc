"""What a DNS question is answered, from the records that are in sync. Pure but for the choice by weight.

Sources: Route 53 developer guide, "Choosing between alias and non-alias records" (an alias's answer looks
like the target's own record; of a load balancer its TTL is 60), "Weighted routing", "DNS domain name format"
(the asterisk); RFC 1034 4.3.2, RFC 2308 (NXDOMAIN and no data).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

from dnslib import AAAA, CNAME, MX, NS, QTYPE, RCODE, RD, RR, SOA, TXT, A, DNSRecord

from delivery.sandbox.dns.batch import Record, normal

Zones = Mapping[str, Sequence[Record]]
#: Picks one of several weights: the index.
Pick = Callable[[Sequence[int]], int]
#: Seconds a resolver may keep the answer of an alias of a load balancer, and how far names are followed.
ALIAS_TTL, DEPTH = 60, 8


def answer(query: bytes, zones: Zones, pick: Pick) -> DNSRecord:
    """The reply to one packet: authoritative, or REFUSED for a name of nobody's zone."""
    asked = DNSRecord.parse(query)
    reply = asked.reply(ra=0)
    name, kind = normal(str(asked.q.qname)), QTYPE[asked.q.qtype]
    zone = _zone_of(name, zones)
    if zone is None:
        reply.header.rcode, reply.header.aa = RCODE.REFUSED, 0
        return reply
    for found in _resolved(name, kind, zone, zones, pick, DEPTH):
        reply.add_answer(found)
    if not reply.rr:
        reply.header.rcode = RCODE.NOERROR if _records(name, zones[zone]) else RCODE.NXDOMAIN
        for record in zones[zone]:
            if record["Type"] == "SOA":
                reply.add_auth(*_written(zone, record))
    return reply


def _zone_of(name: str, zones: Zones) -> str | None:
    """The longest zone the name lies in."""
    inside = [z for z in zones if name == normal(z) or name.endswith(f".{normal(z)}")]
    return max(inside, key=len, default=None)


def _records(name: str, records: Sequence[Record]) -> list[Record]:
    """The records of a name; without any, those of the nearest wildcard, unless a longer name exists.

    A name that only has names below it exists too, without data (RFC 4592).
    """
    exact = [r for r in records if r["Name"] == name]
    if exact or any(r["Name"].endswith(f".{name}") for r in records):
        return exact or [r for r in records if r["Type"] == "SOA"]
    rest = name
    while "." in rest.rstrip("."):
        rest = rest.split(".", 1)[1]
        stars = [r for r in records if r["Name"] == f"\\052.{rest}"]
        if stars or any(r["Name"] == rest or r["Name"].endswith(f".{rest}") for r in records):
            return stars
    return []


def _resolved(name: str, kind: str, zone: str, zones: Zones, pick: Pick, depth: int) -> list[RR]:
    """The answers to a question inside a zone; a CNAME is followed as far as this server knows."""
    found = _records(name, zones[zone])
    for wanted in (kind, "CNAME"):
        sets = [r for r in found if r["Type"] == wanted]
        if not sets:
            continue
        chosen = _chosen(sets, pick)
        if chosen.get("AliasTarget"):
            return _aliased(name, kind, chosen, zones, pick, depth)
        rows = _written(name, chosen)
        if wanted == "CNAME" != kind and depth > 0:
            target = normal(chosen["ResourceRecords"][0]["Value"])
            further = _zone_of(target, zones)
            rows += _resolved(target, kind, further, zones, pick, depth - 1) if further else []
        return rows
    return []


def _chosen(sets: Sequence[Record], pick: Pick) -> Record:
    """By weight; zero everywhere means all alike. Of a failover pair the primary."""
    weights = [int(r["Weight"]) if r.get("Weight") is not None else 0 for r in sets]
    if any(r.get("Weight") is not None for r in sets):
        return sets[pick(weights if any(weights) else [1] * len(sets))]
    return next((r for r in sets if r.get("Failover") == "PRIMARY"), sets[0])


def _aliased(name: str, kind: str, record: Record, zones: Zones, pick: Pick, depth: int) -> list[RR]:
    """The target's answers under the alias's own name; none when the target has none."""
    target = str(record["AliasTarget"]["DNSName"]).rstrip(".").removeprefix("dualstack.")
    try:
        address = ip_address(target)
    except ValueError:
        zone = _zone_of(normal(target), zones)
        if zone is None or depth == 0:
            return []
        rows = _resolved(normal(target), kind, zone, zones, pick, depth - 1)
        return [RR(_shown(name), row.rtype, ttl=row.ttl, rdata=row.rdata) for row in rows]
    if (kind == "A") != (address.version == 4):
        return []
    data = A(target) if kind == "A" else AAAA(target)
    return [RR(_shown(name), getattr(QTYPE, kind), ttl=ALIAS_TTL, rdata=data)]


def _shown(name: str) -> str:
    return name.replace("\\052", "*")


def _written(name: str, record: Record) -> list[RR]:
    """A record set's values as they go over the wire."""
    kind, ttl = str(record["Type"]), int(record.get("TTL") or 0)
    rows = [v["Value"] for v in record.get("ResourceRecords") or ()]
    return [RR(_shown(name), getattr(QTYPE, kind), ttl=ttl, rdata=_data(kind, value)) for value in rows]


def _data(kind: str, value: str) -> RD:
    words = value.split()
    if kind == "TXT":
        texts = re.findall(r'"((?:[^"\\]|\\.)*)"', value) or [value]
        return TXT([re.sub(r"\\(.)", r"\1", text).encode() for text in texts])
    if kind == "MX":
        return MX(words[1], int(words[0]))
    if kind == "SOA":
        return SOA(words[0], words[1], tuple(int(w) for w in words[2:7]))
    simple: dict[str, Callable[[str], RD]] = {"A": A, "AAAA": AAAA, "CNAME": CNAME, "NS": NS}
    return simple[kind](value) if kind in simple else RR.fromZone(f"x 0 IN {kind} {value}")[0].rdata
