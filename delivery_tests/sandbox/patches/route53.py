"""Route 53's probes."""

from typing import Any

from delivery_tests.sandbox.patches.probing import Caller, probe


def zone(caller: Caller) -> str:
    """A hosted zone `<name>.test`; its id."""
    made = caller.client("route53").create_hosted_zone(
        Name=f"{caller.name}.test", CallerReference=caller.name
    )
    return str(made["HostedZone"]["Id"])


def change(caller: Caller, zone_id: str, action: str, host: str, value: str, **more: Any) -> Any:
    """Submit one change of an A record."""
    record = {
        "Name": f"{host}.{caller.name}.test",
        "Type": "A",
        "TTL": 5,
        "ResourceRecords": [{"Value": value}],
    }
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": {**record, **more}}]}
    return caller.client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)


@probe("patches.route53.whole_batches")
def whole_batches(caller: Caller) -> None:
    """A DELETE with other values is InvalidChangeBatch, and says so."""
    made = zone(caller)
    change(caller, made, "CREATE", "www", "192.0.2.1")
    try:
        change(caller, made, "DELETE", "www", "192.0.2.2")
    except caller.client("route53").exceptions.ClientError as error:
        assert "do not match the current values" in error.response["Error"]["Message"]
    else:
        raise AssertionError("it was deleted")


@probe("patches.route53.zones_with_changes")
def zones_with_changes(caller: Caller) -> None:
    """Two zones with one CallerReference are HostedZoneAlreadyExists."""
    zone(caller)
    try:
        zone(caller)
    except caller.client("route53").exceptions.HostedZoneAlreadyExists:
        return
    raise AssertionError("a second zone was made")


@probe("patches.route53.changes_in_time")
def changes_in_time(caller: Caller) -> None:
    """A change that nobody submitted is NoSuchChange."""
    route53 = caller.client("route53")
    try:
        route53.get_change(Id="C0000000000000")
    except route53.exceptions.NoSuchChange:
        return
    raise AssertionError("a change nobody submitted is known")


@probe("patches.route53.listing_in_order")
def listing_in_order(caller: Caller) -> None:
    """Pages go on between the sets of one weighted record."""
    made = zone(caller)
    for identifier in "ab":
        change(caller, made, "CREATE", "www", "192.0.2.1", SetIdentifier=identifier, Weight=1)
    pages = caller.client("route53").get_paginator("list_resource_record_sets").paginate(
        HostedZoneId=made, PaginationConfig={"PageSize": 3}
    )  # fmt: skip
    sets = [r.get("SetIdentifier") for p in pages for r in p["ResourceRecordSets"] if r["Type"] == "A"]
    assert sets == ["a", "b"]


@probe("patches.route53.zones_by_name")
def zones_by_name(caller: Caller) -> None:
    """ListHostedZonesByName begins at the name, which need not be a zone's."""
    zone(caller)
    listed = caller.client("route53").list_hosted_zones_by_name(DNSName=f"{caller.name[:-1]}.test")
    assert f"{caller.name}.test." in [z["Name"] for z in listed["HostedZones"]]
