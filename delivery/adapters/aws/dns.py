"""The service's public name in Route 53: an alias of its load balancer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.core.infra import DeployContract
from delivery.errors import NotFoundError
from delivery.ports import Progress

#: Seconds to wait for a change to reach all of Route 53's servers, and between two looks. AWS: "generally
#: within 60 seconds"; its API takes five requests a second of a whole account.
IN_SYNC_TIMEOUT, POLL = 180.0, 5.0
_TYPES = ("A", "CNAME")


class Route53Dns:
    """`Dns` in Route 53."""

    def __init__(self, aws: Aws, timeout: float = IN_SYNC_TIMEOUT, poll: float = POLL) -> None:
        self._aws, self._timeout, self._poll = aws, timeout, poll

    def current(self, zone: str, record: str) -> str | None:
        """What the record points to now: an alias's or CNAME's name, or addresses; None without one.

        NotFoundError when there is no such zone.
        """
        name = _full_name(zone, record)
        found = self._record(self._zone(zone, None), name)
        return _target(found) if found else None

    def point(self, zone: str, record: str, contract: DeployContract, progress: Progress) -> str:
        """Make the record an alias of the environment's load balancer; returns its target, once in sync.

        What stood there before is told in full, so that it can be put back; a CNAME makes place in the same
        batch. Nothing waits for the old record's TTL: nothing that it names is taken away here.
        UnavailableError when the change is not in sync in time: it is written and may still arrive.
        """
        name, target = _full_name(zone, record), contract.load_balancer_dns
        zone_id = self._zone(zone, contract.hosted_zone_id)
        alias = {
            "HostedZoneId": contract.load_balancer_zone,
            "DNSName": target,
            # A drained slot's empty target group would count as an unhealthy load balancer.
            "EvaluateTargetHealth": False,
        }
        before = self._record(zone_id, name)
        if _same(before, alias):
            progress(f"{name} already points to {target}")
            return target
        progress(f"pointing {name} to {target}{_told(before)}")
        with translated(f"{name} could not be pointed to {target}"):
            changed = self._client.change_resource_record_sets(
                HostedZoneId=zone_id,
                ChangeBatch={
                    "Comment": f"delivery: {contract.service} {contract.environment}",
                    "Changes": [
                        *([{"Action": "DELETE", "ResourceRecordSet": before}] if _cname(before) else []),
                        {
                            "Action": "UPSERT",
                            "ResourceRecordSet": {"Name": name, "Type": "A", "AliasTarget": alias},
                        },
                    ],
                },
            )
        self._await(changed["ChangeInfo"]["Id"], name)
        progress(f"{name} points to {target}, in sync")
        return target

    def _await(self, change: str, name: str) -> None:
        attempts = max(1, round(self._timeout / self._poll))
        with translated(f"The change of {name} is not yet on all of Route 53's servers"):
            self._client.get_waiter("resource_record_sets_changed").wait(
                Id=change, WaiterConfig={"Delay": self._poll, "MaxAttempts": attempts}
            )

    def _zone(self, zone: str, known: str | None) -> str:
        """The id of the public zone of that name; `known` decides between several."""
        with translated(f"The zone {zone} could not be looked up"):
            answer = self._client.list_hosted_zones_by_name(DNSName=_dotted(zone))
        found = [
            z["Id"].rsplit("/", 1)[-1] for z in answer["HostedZones"]
            if _bare(z["Name"]) == _bare(zone) and not z.get("Config", {}).get("PrivateZone")
        ]  # fmt: skip
        if not found:
            raise NotFoundError(
                f"There is no hosted zone {zone}", "Route 53 of this account has no public zone of that name",
                "Make it, or correct `dns.zone` of the environment.",
            )  # fmt: skip
        return known if known is not None and known in found else str(found[0])

    def _record(self, zone_id: str, name: str) -> Mapping[str, Any] | None:
        """The A or CNAME record of exactly that name."""
        with translated(f"The record {name} could not be read"):
            answer = self._client.list_resource_record_sets(
                HostedZoneId=zone_id, StartRecordName=name, StartRecordType="A", MaxItems="10"
            )
        sets = answer["ResourceRecordSets"]
        return next((r for r in sets if _bare(r["Name"]) == _bare(name) and r["Type"] in _TYPES), None)

    @property
    def _client(self) -> Any:
        return self._aws.client("route53")


def _full_name(zone: str, record: str) -> str:
    """`www` in `example.com` is `www.example.com.`; `@`, nothing and the zone's name are the zone itself."""
    given = _bare(record)
    if given in ("", "@", _bare(zone)):
        return _dotted(zone)
    return _dotted(given if given.endswith(f".{_bare(zone)}") else f"{given}.{zone}")


def _target(record: Mapping[str, Any]) -> str:
    if "AliasTarget" in record:
        return _bare(record["AliasTarget"]["DNSName"])
    return ", ".join(_bare(r["Value"]) for r in record.get("ResourceRecords", ()))


def _cname(record: Mapping[str, Any] | None) -> bool:
    return record is not None and record["Type"] == "CNAME"


def _told(record: Mapping[str, Any] | None) -> str:
    """What is replaced: `, which was CNAME other.test (TTL 300 s)`; nothing where there was nothing."""
    if record is None:
        return ""
    kind = f"{record['Type']} alias" if "AliasTarget" in record else record["Type"]
    ttl = f" (TTL {record['TTL']} s)" if "TTL" in record else ""
    return f", which was {kind} {_target(record)}{ttl}"


def _same(record: Mapping[str, Any] | None, alias: Mapping[str, Any]) -> bool:
    found = (record or {}).get("AliasTarget") or {}
    return all(_bare(found.get(key, "")) == _bare(alias[key]) for key in ("HostedZoneId", "DNSName"))


def _dotted(name: str) -> str:
    return f"{_bare(name)}."


def _bare(name: str) -> str:
    """As names compare: lower case, no final dot, an asterisk as itself (Route 53 writes `\\052`)."""
    return name.lower().rstrip(".").replace("\\052", "*")
