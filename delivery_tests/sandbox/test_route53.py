"""Amazon Route 53: batches, changes on their way, and what its name servers answer.

Route 53 API reference: ChangeResourceRecordSets, GetChange, ListResourceRecordSets, CreateHostedZone.
Route 53 developer guide: "Choosing between alias and non-alias records", "Weighted routing", "DNS domain
name format", "SOA and NS records that Amazon Route 53 creates for a public hosted zone".
"""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from dnslib import QTYPE, RCODE, DNSRecord

from delivery.sandbox.dns.answer import answer
from delivery.sandbox.dns.batch import RefusedBatchError, applied, order
from delivery.sandbox.dns.changes import DnsChanges
from delivery_tests.conftest import RunningSandbox

ZONE = "shop.test."


def record(name: str, kind: str, *values: str, **more: Any) -> dict[str, Any]:
    """A record set of the zone; `name` without it."""
    ttl = {"TTL": 30, "ResourceRecords": [{"Value": v} for v in values]} if values else {}
    return {"Name": f"{name}.{ZONE}".lstrip("."), "Type": kind, **ttl, **more}


def alias(name: str, target: str, kind: str = "A") -> dict[str, Any]:
    """An alias record set."""
    to = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": target, "EvaluateTargetHealth": False}
    return record(name, kind, AliasTarget=to)


def change(action: str, what: dict[str, Any]) -> dict[str, Any]:
    """One change of a batch."""
    return {"Action": action, "ResourceRecordSet": what}


APEX = [
    record("", "NS", "ns-1.awsdns-1.com"),
    record("", "SOA", "ns-1.awsdns-1.com. hostmaster.example.com. 1 7200 900 1209600 86400"),
]
OLD = record("www", "A", "192.0.2.1")
NEW = record("www", "A", "192.0.2.2")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([change("CREATE", NEW)],
         "Tried to create resource record set [name='www.shop.test.', type='A'] but it already exists"),
        ([change("DELETE", record("api", "A", "192.0.2.1"))],
         "Tried to delete resource record set [name='api.shop.test.', type='A'] but it was not found"),
        ([change("DELETE", NEW)],
         "Tried to delete resource record set [name='www.shop.test.', type='A'] "
         "but the values provided do not match the current values"),
        ([change("DELETE", OLD), change("DELETE", OLD)],
         "Tried to delete resource record set [name='www.shop.test.', type='A'] but it was not found"),
        ([change("UPSERT", {**OLD, "Name": "www.other.test"})],
         "RRSet with DNS name www.other.test. is not permitted in zone shop.test."),
        ([change("CREATE", record("", "CNAME", "a.test"))],
         "RRSet of type CNAME with DNS name shop.test. is not permitted at apex in zone shop.test."),
        ([change("CREATE", record("www", "CNAME", "a.test"))],
         "RRSet of type CNAME with DNS name www.shop.test. is not permitted as it conflicts with other "
         "records with the same DNS name in zone shop.test."),
        ([change("CREATE", record("www", "A", "192.0.2.3", SetIdentifier="b", Weight=1))],
         "RRSet with DNS name www.shop.test., type A, SetIdentifier b cannot be created because a non "
         "multi-answer rrset exists with the same name and type."),
        ([change("CREATE", record("api", "A", "here"))],
         "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 "
         "address) encountered with 'here''"),
        ([change("CREATE", record("txt", "TXT", "bare"))],
         "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in "
         "quotation marks) encountered with 'bare''"),
        ([change("DELETE", APEX[1])], "A HostedZone must contain exactly one SOA record."),
    ],
)  # fmt: skip
def test_a_batch_is_refused_with_its_reason(changes: list[Any], reason: str) -> None:
    """InvalidChangeBatch tells each change that cannot be done."""
    with pytest.raises(RefusedBatchError) as refused:
        applied(ZONE, [*APEX, OLD], changes)
    assert reason in refused.value.reasons


def test_a_batch_is_all_or_nothing() -> None:
    """One bad change among good ones, and none is done; the good ones alone are all done."""
    good = [change("UPSERT", NEW), change("CREATE", record("api", "A", "192.0.2.9"))]
    with pytest.raises(RefusedBatchError):
        applied(ZONE, [*APEX, OLD], [*good, change("DELETE", record("none", "A", "192.0.2.1"))])
    done = applied(ZONE, [*APEX, OLD], good)
    assert [r["ResourceRecords"][0]["Value"] for r in done if r["Type"] == "A"] == ["192.0.2.2", "192.0.2.9"]


def test_a_cname_makes_place_for_an_alias_in_one_batch() -> None:
    """DELETE and CREATE of one name in one batch: it is judged by its end."""
    name = record("www", "CNAME", "old.test")
    done = applied(ZONE, [*APEX, name], [change("DELETE", name), change("CREATE", alias("www", "127.0.1.1"))])
    assert [r["Type"] for r in done if r["Name"].startswith("www")] == ["A"]


def test_a_delete_compares_values_in_any_order() -> None:
    """Two addresses in another order are the same values."""
    there = record("www", "A", "192.0.2.1", "192.0.2.2")
    gone = applied(ZONE, [*APEX, there], [change("DELETE", record("WWW", "A", "192.0.2.2", "192.0.2.1"))])
    assert len(gone) == 2


def test_records_are_listed_by_reversed_labels() -> None:
    """ListResourceRecordSets sorts by the labels from the right; `-` stands before the dot."""
    names = ["b.shop.test.", "shop.test.", "a.b.shop.test.", "b-c.shop.test.", "a.shop.test."]
    listed = sorted(({"Name": n, "Type": "A"} for n in names), key=order)
    assert [r["Name"] for r in listed] == [
        "shop.test.", "a.shop.test.", "b-c.shop.test.", "b.shop.test.", "a.b.shop.test.",
    ]  # fmt: skip


ANSWERED = [
    *APEX,
    OLD,
    record("six", "AAAA", "2001:db8::1"),
    record("text", "TXT", '"one" "two"', '"say \\"hi\\""'),
    record("mail", "MX", "10 mx.shop.test"),
    record("name", "CNAME", "www.shop.test"),
    record("away", "CNAME", "www.example.com"),
    record("\\052.wild", "A", "192.0.2.7"),
    record("deep.real.wild", "A", "192.0.2.8"),
    alias("lb", "127.0.1.9"),
    alias("inner", "www.shop.test."),
    alias("nowhere", "nobody.elb.amazonaws.com."),
]


@pytest.mark.parametrize(
    ("name", "kind", "status", "rows"),
    [
        ("www", "A", "NOERROR", [("A", 30, "192.0.2.1")]),
        ("WWW", "A", "NOERROR", [("A", 30, "192.0.2.1")]),  # names have no case
        ("six", "AAAA", "NOERROR", [("AAAA", 30, "2001:db8::1")]),
        ("text", "TXT", "NOERROR", [("TXT", 30, '"one","two"'), ("TXT", 30, '"say "hi""')]),
        ("mail", "MX", "NOERROR", [("MX", 30, "10 mx.shop.test.")]),
        ("", "NS", "NOERROR", [("NS", 30, "ns-1.awsdns-1.com.")]),
        ("name", "A", "NOERROR", [("CNAME", 30, "www.shop.test."), ("A", 30, "192.0.2.1")]),
        ("name", "CNAME", "NOERROR", [("CNAME", 30, "www.shop.test.")]),
        ("away", "A", "NOERROR", [("CNAME", 30, "www.example.com.")]),
        ("any.wild", "A", "NOERROR", [("A", 30, "192.0.2.7")]),
        ("real.wild", "A", "NOERROR", []),  # exists, for there is a name below it: no wildcard
        ("lb", "A", "NOERROR", [("A", 60, "127.0.1.9")]),  # a load balancer's TTL
        ("lb", "AAAA", "NOERROR", []),
        ("inner", "A", "NOERROR", [("A", 30, "192.0.2.1")]),  # the target's TTL
        ("nowhere", "A", "NOERROR", []),
        ("www", "TXT", "NOERROR", []),  # the name is there, the type is not
        ("nobody", "A", "NXDOMAIN", []),
    ],
)
def test_a_question_is_answered(name: str, kind: str, status: str, rows: list[Any]) -> None:
    """Each type, aliases under their own name, wildcards, names without data and names that do not exist."""
    question = DNSRecord.question(f"{name}.{ZONE}".lstrip("."), kind)
    reply = DNSRecord.parse(answer(question.pack(), {ZONE: ANSWERED}, lambda weights: 0).pack())
    assert RCODE[reply.header.rcode] == status
    assert [(QTYPE[r.rtype], r.ttl, str(r.rdata)) for r in reply.rr] == rows
    assert reply.header.aa == 1
    assert [QTYPE[r.rtype] for r in reply.auth] == ([] if rows else ["SOA"])


def test_nobodys_zone_is_refused() -> None:
    """Route 53's servers answer for zones of theirs only."""
    reply = answer(DNSRecord.question("www.other.test").pack(), {ZONE: ANSWERED}, lambda weights: 0)
    assert (reply.header.rcode, reply.header.aa) == (5, 0)


@pytest.mark.parametrize(("weights", "asked"), [((90, 10), [90, 10]), ((0, 0), [1, 1])])
def test_weights_decide(weights: tuple[int, int], asked: list[int]) -> None:
    """Of several weighted sets one is answered, by weight; if all are zero, each as often as the others."""
    sets = [record("www", "A", f"192.0.2.{n}", SetIdentifier=str(n), Weight=w) for n, w in enumerate(weights)]
    seen: list[list[int]] = []

    def pick(given: Any) -> int:
        seen.append(list(given))
        return 1

    reply = answer(DNSRecord.question(f"www.{ZONE}").pack(), {ZONE: [*APEX, *sets]}, pick)
    assert seen == [asked] and [str(r.rdata) for r in reply.rr] == ["192.0.2.1"]


def test_a_change_is_answered_once_it_is_in_sync() -> None:
    """PENDING for the delay, and the old answer until then; stuck, it stays so; then it goes on."""
    now = [0.0]
    changes = DnsChanges(lambda: 0.0, lambda: now[0])
    first = changes.submit("Z1", ZONE, [OLD])
    assert changes.zones()[ZONE] == (OLD,)
    changes.delay = 30
    second = changes.submit("Z1", ZONE, [NEW])
    assert second.status == "PENDING" and changes.find(f"/change/{first.id}").status == "INSYNC"  # type: ignore[union-attr]
    now[0], changes.stuck = 31, True
    assert changes.find(second.id).status == "PENDING" and changes.zones()[ZONE] == (OLD,)  # type: ignore[union-attr]
    changes.stuck = False
    assert changes.find(second.id).status == "INSYNC" and changes.zones()[ZONE] == (NEW,)  # type: ignore[union-attr]
    assert changes.find("C0") is None


@dataclass
class Zone:
    """A hosted zone of a running sandbox."""

    sandbox: RunningSandbox
    name: str

    def __post_init__(self) -> None:
        self.client = self.sandbox.client("route53")
        self.id = self.client.create_hosted_zone(Name=self.name, CallerReference=self.name)["HostedZone"][
            "Id"
        ]

    def change(self, *changes: tuple[str, str, str, str]) -> dict[str, Any]:
        """Submit changes of (action, name, type, value); the ChangeInfo."""
        batch = [
            change(a, {"Name": f"{n}.{self.name}", "Type": t, "TTL": 5, "ResourceRecords": [{"Value": v}]})
            for a, n, t, v in changes
        ]
        asked = self.client.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch={"Changes": batch})
        return dict(asked["ChangeInfo"])

    def dig(self, host: str, *more: str) -> str:
        """What `dig` prints for a name of the zone."""
        port = self.sandbox.endpoints.dns.rsplit(":", 1)[1]
        command = ["dig", "@127.0.0.1", "-p", port, f"{host}.{self.name}", *(more or ("+short",))]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=15)
        return done.stdout.strip()


@pytest.fixture
def zone(sandbox: RunningSandbox) -> Zone:
    """A zone of the test's own."""
    return Zone(sandbox, f"t{uuid.uuid4().hex[:8]}.test")


@pytest.mark.sandbox
def test_dig_sees_what_route53_was_told(zone: Zone) -> None:
    """A record can be asked for over UDP and TCP; a name nobody made is NXDOMAIN."""
    submitted = zone.change(("UPSERT", "www", "A", "127.0.9.9"), ("UPSERT", "*", "TXT", '"any"'))
    assert submitted["Status"] == "PENDING"
    zone.client.get_waiter("resource_record_sets_changed").wait(
        Id=submitted["Id"], WaiterConfig={"Delay": 0, "MaxAttempts": 10}
    )
    assert zone.dig("www") == zone.dig("www", "+short", "+tcp") == "127.0.9.9"
    assert zone.dig("some", "TXT", "+short") == '"any"'
    zone.change(("DELETE", "*", "TXT", '"any"'))
    assert "status: NXDOMAIN" in zone.dig("some", "+comments")


@pytest.mark.sandbox
def test_errors_of_route53(zone: Zone) -> None:
    """InvalidChangeBatch, NoSuchHostedZone, HostedZoneNotEmpty, NoSuchChange, HostedZoneAlreadyExists."""
    zone.change(("CREATE", "www", "A", "127.0.9.9"))
    with pytest.raises(ClientError, match=r"InvalidChangeBatch.*\[Tried to create .*already exists\]"):
        zone.change(("CREATE", "www", "A", "127.0.9.9"))
    client = zone.client
    for code, call in (
        ("NoSuchHostedZone", lambda: client.get_hosted_zone(Id="Z0000000000000")),
        ("HostedZoneNotEmpty", lambda: client.delete_hosted_zone(Id=zone.id)),
        ("NoSuchChange", lambda: client.get_change(Id="C0000000000000")),
        ("HostedZoneAlreadyExists",
         lambda: client.create_hosted_zone(Name=zone.name, CallerReference=zone.name)),
        ("InvalidInput", lambda: client.create_hosted_zone(Name="", CallerReference="new")),
    ):  # fmt: skip
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == code
    zone.change(("DELETE", "www", "A", "127.0.9.9"))
    assert client.delete_hosted_zone(Id=zone.id)["ChangeInfo"]["Status"] == "PENDING"
    assert "REFUSED" in zone.dig("www", "+comments")


@pytest.mark.sandbox
def test_a_listing_is_paged_through_weighted_sets(zone: Zone) -> None:
    """NextRecordIdentifier leads on between two sets of one name and type."""
    sets = [
        {"Name": f"www.{zone.name}", "Type": "A", "TTL": 5, "SetIdentifier": i, "Weight": 1,
         "ResourceRecords": [{"Value": "127.0.9.9"}]} for i in "abc"
    ]  # fmt: skip
    zone.client.change_resource_record_sets(
        HostedZoneId=zone.id, ChangeBatch={"Changes": [change("CREATE", s) for s in sets]}
    )
    pages = zone.client.get_paginator("list_resource_record_sets").paginate(
        HostedZoneId=zone.id, PaginationConfig={"PageSize": 1}
    )
    seen = [(r["Type"], r.get("SetIdentifier")) for page in pages for r in page["ResourceRecordSets"]]
    assert seen == [("NS", None), ("SOA", None), ("A", "a"), ("A", "b"), ("A", "c")]
