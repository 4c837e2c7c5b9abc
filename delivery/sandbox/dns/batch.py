"""What a batch of changes does to a zone's records: all of it, or nothing and the reasons.

Pure. Records are ResourceRecordSets as the API shows them. Sources: Route 53 API reference,
ChangeResourceRecordSets; Route 53 developer guide, "DNS domain name format", "Supported DNS record types".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

Record = Mapping[str, Any]
#: What tells record sets of one name and type apart, besides SetIdentifier: they must not be mixed.
ROUTING = ("Weight", "Region", "Failover", "GeoLocation", "MultiValueAnswer")


class RefusedBatchError(Exception):
    """Nothing of the batch was done; `reasons` in AWS's words."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(*reasons)
        self.reasons = list(reasons)


def normal(name: str) -> str:
    r"""A name as Route 53 keeps it: lower case, a dot at its end, `*` written as `\052`."""
    return name.rstrip(".").lower().replace("*", "\\052") + "."


def order(record: Record) -> tuple[str, str, str]:
    """Where a record stands in a listing: by labels from the right, the trailing dot counted; then type."""
    labels = reversed(str(record["Name"]).rstrip(".").split("."))
    return ".".join(labels) + ".", str(record["Type"]), str(record.get("SetIdentifier") or "")


def applied(zone: str, records: Sequence[Record], changes: Sequence[Mapping[str, Any]]) -> list[Record]:
    """The zone's records after the batch. The changes are tried one after the other, on a copy.

    Raises RefusedBatchError with every reason there is.
    """
    found, reasons = {_key(r): r for r in records}, list[str]()
    for change in changes:
        record = {**change["ResourceRecordSet"], "Name": normal(change["ResourceRecordSet"]["Name"])}
        reason = _refusal(normal(zone), found, change["Action"], record)
        if reason:
            reasons.append(reason)
        elif change["Action"] == "DELETE":
            del found[_key(record)]
        else:
            found[_key(record)] = record
    reasons += _conflicts(normal(zone), found) if not reasons else []
    if reasons:
        raise RefusedBatchError(reasons)
    return list(found.values())


def incomplete(change: Mapping[str, Any]) -> str:
    """Why a change is no valid input: it has neither an alias nor values, or both; empty when it is one."""
    record = change["ResourceRecordSet"]
    given = [record.get("AliasTarget") is not None,
             bool(record.get("ResourceRecords")) and record.get("TTL") is not None]  # fmt: skip
    if sum(given) == 1 and not (given[0] and record.get("ResourceRecords")):
        return ""
    found = "found none" if not any(given) else "found more than one"
    return (
        "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
        f"TrafficPolicyInstanceId], but {found} in Change with [Action={change['Action']}, "
        f"Name={record['Name']}, Type={record['Type']}, SetIdentifier={record.get('SetIdentifier', 'null')}]"
    )


def _key(record: Record) -> tuple[str, str, str]:
    return normal(record["Name"]), str(record["Type"]), str(record.get("SetIdentifier") or "")


def _named(record: Record) -> str:
    same = f"name='{record['Name']}', type='{record['Type']}'"
    return (
        f"[{same}, set identifier='{record['SetIdentifier']}']"
        if record.get("SetIdentifier")
        else f"[{same}]"
    )


def _refusal(zone: str, found: Mapping[Any, Record], action: str, record: Record) -> str:
    """Why one change cannot be done on these records; empty when it can."""
    name, there = record["Name"], found.get(_key(record))
    if name != zone and not name.endswith(f".{zone}"):
        return f"RRSet with DNS name {name} is not permitted in zone {zone}"
    if action == "DELETE":
        return _undeletable(zone, there, record)
    if action == "CREATE" and there is not None:
        return f"Tried to create resource record set {_named(record)} but it already exists"
    target = record.get("AliasTarget") or {}
    inside = normal(target.get("DNSName", ""))
    if inside.endswith(f".{zone}") and not any(k[:2] == (inside, record["Type"]) for k in found):
        return (
            f"Tried to create an alias that targets {inside}, type {record['Type']} in zone {zone}, "
            "but that target was not found"
        )
    return next((bad for v in record.get("ResourceRecords") or () if (bad := _bad(record, v["Value"]))), "")


def _undeletable(zone: str, there: Record | None, record: Record) -> str:
    if there is None:
        return f"Tried to delete resource record set {_named(record)} but it was not found"
    if not same(there, record):
        return (
            f"Tried to delete resource record set {_named(record)} "
            "but the values provided do not match the current values"
        )
    if record["Name"] == zone and record["Type"] == "SOA":
        return "A HostedZone must contain exactly one SOA record."
    if record["Name"] == zone and record["Type"] == "NS":
        return "A HostedZone must contain at least one NS record for the zone itself."
    return ""


def same(one: Record, other: Record) -> bool:
    """Whether two record sets say the same; values in any order. Terraform leaves MultiValueAnswer away."""
    return _content(one) == _content(other)


def _content(record: Record) -> dict[str, Any]:
    alias, ttl = record.get("AliasTarget"), record.get("TTL")
    return {
        "values": sorted(v["Value"] for v in record.get("ResourceRecords") or ()),
        "ttl": None if ttl is None else int(ttl),
        "alias": alias and (alias["HostedZoneId"], normal(alias["DNSName"]), _true(alias)),
        **{k: str(record.get(k)) for k in ("Weight", "Region", "Failover", "HealthCheckId")},
    }


def _true(alias: Mapping[str, Any]) -> bool:
    return str(alias.get("EvaluateTargetHealth", False)).lower() == "true"


def _bad(record: Record, value: str) -> str:
    """What is wrong with one value of a record; empty when nothing is."""
    problem, kinds = "", {"A": (IPv4Address, "ARRDATAIllegalIPv4Address", "IPv4"),
                          "AAAA": (IPv6Address, "AAAARRDATAIllegalIPv6Address", "IPv6")}  # fmt: skip
    if record["Type"] in kinds:
        kind, code, word = kinds[record["Type"]]
        try:
            kind(value)
        except ValueError:
            problem = f"{code} (Value is not a valid {word} address)"
    elif record["Type"] == "TXT" and not (len(value) > 1 and value[0] == value[-1] == '"'):
        problem = "InvalidCharacterString (Value should be enclosed in quotation marks)"
    elif record["Type"] == "CNAME" and (not value or " " in value):
        problem = "DomainNameContainsInvalidCharacter (Value is not a valid domain name)"
    return (
        f"Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''" if problem else ""
    )


def _conflicts(zone: str, found: Mapping[tuple[str, str, str], Record]) -> list[str]:
    """What may not stand beside each other: a CNAME and anything, a simple and a routed set."""
    reasons = []
    for name, kind, identifier in found:
        others = {k for k in found if k[0] == name and k[1] != kind}
        if kind == "CNAME" and name == zone:
            reasons.append(
                f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}"
            )
        elif kind == "CNAME" and others:
            reasons.append(
                f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other "
                f"records with the same DNS name in zone {zone}"
            )
        if identifier and (name, kind, "") in found:
            reasons.append(
                f"RRSet with DNS name {name}, type {kind}, SetIdentifier {identifier} cannot be created "
                "because a non multi-answer rrset exists with the same name and type."
            )
        record = found[name, kind, identifier]
        if bool(identifier) != any(record.get(r) is not None for r in ROUTING):
            reasons.append(f"Invalid request: a routed RRSet needs a SetIdentifier, and no other: {name}")
    return reasons
