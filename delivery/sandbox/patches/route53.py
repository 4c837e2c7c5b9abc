"""Route 53: batches that are done whole or not at all, and changes that take their time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.route53.exceptions import InvalidInput, Route53ClientError
from moto.route53.models import FakeZone, RecordSet, Route53Backend
from moto.route53.responses import Route53 as Route53Response

from delivery.sandbox.dns import Change, DnsChanges
from delivery.sandbox.dns.batch import Record, RefusedBatchError, applied, incomplete, normal, order

#: Records a page of ListResourceRecordSets has at most, and ResourceRecords a batch may have.
PAGE, LIMIT = 300, 1000
#: Who answers for a zone, in its SOA record. Source: developer guide, "The start of authority (SOA) record".
HOSTMASTER = "awsdns-hostmaster.amazon.com"


def install(changes: DnsChanges) -> None:
    """Put the patches in place, before the server starts."""
    whole_batches(changes)
    zones_with_changes(changes)
    changes_in_time(changes)
    listing_in_order()
    zones_by_name()


def whole_batches(changes: DnsChanges) -> None:
    """moto applies a batch one by one, deletes what was not meant, and says INSYNC to everything.

    Source: API reference, ChangeResourceRecordSets: "The changes in the change batch are all-or-nothing".
    """

    def change_resource_record_sets(self: Route53Response) -> ActionResult:
        zone = self.backend.get_hosted_zone(self._get_param("HostedZoneId"))
        asked = self._get_param("ChangeBatch.Changes") or []
        for change in asked:
            if reason := incomplete(change):
                raise InvalidInput(reason)
        if sum((1 + (c["Action"] == "UPSERT")) * _values(c) for c in asked) > LIMIT:
            raise Route53ClientError("InvalidChangeBatch", f"[Number of records limit of {LIMIT} exceeded.]")
        try:
            records = applied(zone.name, _shown(zone), asked)
        except RefusedBatchError as error:
            raise Route53ClientError("InvalidChangeBatch", f"[{', '.join(error.reasons)}]") from None
        zone.rrsets = [_kept(r) for r in records]
        comment = self._get_param("ChangeBatch.Comment")
        return ActionResult({"ChangeInfo": _info(_submit(changes, zone, comment))})

    Route53Response.change_resource_record_sets = change_resource_record_sets  # type: ignore[method-assign]


def _values(change: dict[str, Any]) -> int:
    return len(change["ResourceRecordSet"].get("ResourceRecords") or ())


def zones_with_changes(changes: DnsChanges) -> None:
    """A zone made or deleted is a change as well; moto makes two of one CallerReference, and no change.

    It takes one without a name or reference, or fails.
    Sources: API reference, CreateHostedZone (HostedZoneAlreadyExists), DeleteHostedZone.
    """
    create, delete = Route53Response.create_hosted_zone, Route53Response.delete_hosted_zone

    def create_hosted_zone(self: Route53Response) -> ActionResult:
        reference = self._get_param("CallerReference")
        if not reference or not self._get_param("Name"):
            raise InvalidInput("The input is not valid")
        if any(z.caller_reference == reference for z in self.backend.zones.values()):
            raise Route53ClientError(
                "HostedZoneAlreadyExists",
                "A hosted zone has already been created with the specified caller reference.",
            )
        made: Any = create(self).result
        zone: FakeZone = made["HostedZone"]
        zone.name = normal(zone.name)
        for record in zone.rrsets:
            record.name = zone.name
            record.records = [_bare(v).replace("hostmaster.example.com", HOSTMASTER) for v in record.records]
        return ActionResult({**made, "ChangeInfo": _info(_submit(changes, zone, None))})

    def delete_hosted_zone(self: Route53Response) -> ActionResult:
        zone = self.backend.get_hosted_zone(self._get_param("Id"))
        delete(self)
        change = changes.submit(zone.resource_id, zone.name, ())
        changes.forget(zone.resource_id)
        return ActionResult({"ChangeInfo": _info(change)})

    Route53Response.create_hosted_zone = create_hosted_zone  # type: ignore[method-assign]
    Route53Response.delete_hosted_zone = delete_hosted_zone  # type: ignore[method-assign]


def _bare(value: Any) -> str:
    """A value without moto's wrapping of the SOA record."""
    return str(value["Value"] if isinstance(value, dict) else value)


def changes_in_time(changes: DnsChanges) -> None:
    """moto's GetChange says INSYNC to every id, also to one that nobody was given."""

    def get_change(self: Route53Response) -> ActionResult:
        identifier = self._get_param("Id")
        change = changes.find(identifier)
        if change is None:
            message = f"Could not find resource with ID: {identifier}"
            raise Route53ClientError("NoSuchChange", message)
        return ActionResult({"ChangeInfo": _info(change)})

    Route53Response.get_change = get_change  # type: ignore[method-assign]


def listing_in_order() -> None:
    """moto pages without SetIdentifier, so a weighted set is never listed to its end, and sorts otherwise.

    Source: API reference, ListResourceRecordSets, "Sort order", "Specifying where to start listing records".
    """

    def list_resource_record_sets(self: Route53Response) -> ActionResult:
        zone = self.backend.get_hosted_zone(self._get_param("HostedZoneId"))
        name, kind = self._get_param("StartRecordName"), self._get_param("StartRecordType")
        if (kind and not name) or (self._get_param("StartRecordIdentifier") and not kind):
            raise InvalidInput("The input is not valid")
        size = min(PAGE, self._get_int_param("MaxItems", PAGE))
        start = ("", "", "")
        if name:
            identifier = self._get_param("StartRecordIdentifier") or ""
            start = order({"Name": normal(name), "Type": kind or "", "SetIdentifier": identifier})
        listed = sorted(zone.rrsets, key=_place)
        rest = [r for r in listed if _place(r) >= start]
        more = rest[size] if len(rest) > size else None
        following = {"NextRecordName": more.name, "NextRecordType": more.type,
                     "NextRecordIdentifier": more.set_identifier} if more else {}  # fmt: skip
        return ActionResult(
            {"ResourceRecordSets": rest[:size], "IsTruncated": bool(more), "MaxItems": size, **following}
        )

    Route53Response.list_resource_record_sets = list_resource_record_sets  # type: ignore[method-assign]


def zones_by_name() -> None:
    """moto lists the zone of exactly this name; Route 53 begins there and goes on.

    Source: API reference, ListHostedZonesByName.
    """

    def list_hosted_zones_by_name(
        self: Route53Backend, dnsname: str | None
    ) -> tuple[str | None, list[FakeZone]]:
        zones = sorted(self.zones.values(), key=lambda z: order({"Name": z.name, "Type": ""}))
        if not dnsname:
            return None, zones
        first = order({"Name": normal(dnsname), "Type": ""})
        return normal(dnsname), [z for z in zones if order({"Name": z.name, "Type": ""}) >= first]

    Route53Backend.list_hosted_zones_by_name = list_hosted_zones_by_name  # type: ignore[method-assign]


def _place(record: RecordSet) -> tuple[str, str, str]:
    return order({"Name": record.name, "Type": record.type, "SetIdentifier": record.set_identifier})


def _submit(changes: DnsChanges, zone: FakeZone, comment: str | None) -> Change:
    """A private zone is answered inside its networks only, so never here."""
    records = () if zone.private_zone else _shown(zone)
    return changes.submit(zone.resource_id, "" if zone.private_zone else zone.name, records, comment)


def _info(change: Change) -> dict[str, Any]:
    submitted = datetime.fromtimestamp(change.submitted, UTC).replace(tzinfo=None)
    told = {"Id": f"/change/{change.id}", "Status": change.status, "SubmittedAt": submitted}
    return {**told, "Comment": change.comment} if change.comment else told


#: moto's names of what a record set has, by AWS's.
_FIELDS = {
    "Name": "name", "Type": "type", "TTL": "ttl", "SetIdentifier": "set_identifier", "Weight": "weight",
    "Region": "region", "HealthCheckId": "health_check_id", "AliasTarget": "alias_target",
    "Failover": "failover", "GeoLocation": "geo_location", "MultiValueAnswer": "multi_value_answer",
}  # fmt: skip


def _shown(zone: FakeZone) -> list[Record]:
    """The zone's records as the API shows them."""
    return [
        {
            **{k: getattr(r, f) for k, f in _FIELDS.items() if getattr(r, f) is not None},
            "Name": normal(r.name),
            "ResourceRecords": [{"Value": v} for v in r.records or ()],
        }
        for r in zone.rrsets
    ]


def _kept(record: Record) -> RecordSet:
    """A record as moto keeps it, its values bare; an alias's target in lower case with its dot."""
    alias = record.get("AliasTarget")
    target = {"AliasTarget": {**alias, "DNSName": normal(alias["DNSName"])}} if alias else {}
    values = [v["Value"] for v in record.get("ResourceRecords") or ()]
    return RecordSet({**record, **target, "ResourceRecords": values})  # type: ignore[abstract]
