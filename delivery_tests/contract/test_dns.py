"""The service's public name, in memory and in Route 53."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

import pytest
from dnslib import DNSRecord

from delivery.adapters.aws.dns import Route53Dns
from delivery.core.infra import DeployContract
from delivery.errors import NotFoundError, ProviderError, UnavailableError
from delivery.ports import Dns
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.cloud import aws_of, aws_that_does_not_answer
from delivery_tests.fakes import FakeDns, Wire, sample_contract

OLD = replace(sample_contract(), load_balancer_dns="old-1.eu-central-1.elb.amazonaws.com")
NEW = replace(sample_contract(), load_balancer_dns="new-2.eu-central-1.elb.amazonaws.com")


@dataclass
class Scene:
    """The port and a zone with nothing in it."""

    dns: Dns
    zone: str

    def point(self, record: str, contract: DeployContract) -> tuple[str, list[str]]:
        """Point the record; what came back and what was told on the way."""
        told: list[str] = []
        return self.dns.point(self.zone, record, contract, told.append), told


def new_zone(sandbox: RunningSandbox) -> str:
    """A hosted zone of its own."""
    name = f"z{uuid.uuid4().hex[:8]}.test"
    sandbox.client("route53").create_hosted_zone(Name=name, CallerReference=name)
    return name


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest) -> Scene:
    """A zone without records."""
    if request.param == "fake":
        return Scene(FakeDns(Wire()), "example.test")
    sandbox = request.getfixturevalue("sandbox")
    return Scene(Route53Dns(aws_of(sandbox), poll=0.1), new_zone(sandbox))


def test_a_name_that_was_never_set_points_to_nothing(scene: Scene) -> None:
    """Before the first release there is no record."""
    assert scene.dns.current(scene.zone, "www") is None


def test_a_name_points_to_the_load_balancer(scene: Scene) -> None:
    """After pointing it, the record names the environment's load balancer; other records do not."""
    target, _ = scene.point("www", OLD)
    assert target == OLD.load_balancer_dns == scene.dns.current(scene.zone, "www")
    assert scene.dns.current(scene.zone, "api") is None


def test_a_name_moves_with_its_environment(scene: Scene) -> None:
    """Pointing it elsewhere replaces the target."""
    scene.point("www", OLD)
    scene.point("www", NEW)
    assert scene.dns.current(scene.zone, "www") == NEW.load_balancer_dns


def test_pointing_twice_has_the_effect_of_once(scene: Scene) -> None:
    """The second time the answer is the same."""
    scene.point("www", OLD)
    assert scene.point("www", OLD)[0] == OLD.load_balancer_dns
    assert scene.dns.current(scene.zone, "www") == OLD.load_balancer_dns


@pytest.fixture
def real(sandbox: RunningSandbox) -> Scene:
    """Route 53 alone."""
    return Scene(Route53Dns(aws_of(sandbox), poll=0.1), new_zone(sandbox))


@pytest.mark.sandbox
def test_a_record_that_is_right_is_not_written_again(real: Scene) -> None:
    """Route 53's API is narrow: what is right already is left alone, and said so."""
    _, first = real.point("www", OLD)
    _, second = real.point("www", OLD)
    assert first == [
        f"pointing www.{real.zone}. to {OLD.load_balancer_dns}",
        f"www.{real.zone}. points to {OLD.load_balancer_dns}, in sync",
    ]
    assert second == [f"www.{real.zone}. already points to {OLD.load_balancer_dns}"]


@pytest.mark.sandbox
@pytest.mark.parametrize("record", ["", "@", "{zone}", "www", "www.{zone}", "WWW.{zone}."])
def test_a_record_may_be_named_short_or_in_full(sandbox: RunningSandbox, real: Scene, record: str) -> None:
    """`www`, the full name, and the zone itself name one A alias each, which the DNS server answers."""
    name = record.format(zone=real.zone)
    contract = replace(OLD, load_balancer_dns="127.0.2.77")  # the sandbox's load balancers are addresses
    real.point(name, contract)
    full = real.zone if name.lower() in ("", "@", real.zone) else f"www.{real.zone}"
    assert real.dns.current(real.zone, name) == "127.0.2.77"
    answer = DNSRecord.parse(DNSRecord.question(full).send("127.0.0.1", sandbox.config.dns_port, timeout=5))
    assert [str(r.rdata) for r in answer.rr] == ["127.0.2.77"]


@pytest.mark.sandbox
def test_what_is_written_is_an_alias(sandbox: RunningSandbox, real: Scene) -> None:
    """The record is an A alias in the load balancer's own zone, never a fixed address."""
    real.point("www", OLD)
    route53 = sandbox.client("route53")
    zone_id = route53.list_hosted_zones_by_name(DNSName=real.zone)["HostedZones"][0]["Id"]
    sets = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    found = next(r for r in sets if r["Name"] == f"www.{real.zone}.")
    assert found["Type"] == "A" and "ResourceRecords" not in found
    assert found["AliasTarget"]["HostedZoneId"] == OLD.load_balancer_zone
    assert found["AliasTarget"]["DNSName"].rstrip(".") == OLD.load_balancer_dns


@pytest.mark.sandbox
def test_what_somebody_else_wrote_is_seen(sandbox: RunningSandbox, real: Scene) -> None:
    """Drift needs to see any record of the name: addresses and CNAMEs as well."""
    route53 = sandbox.client("route53")
    zone_id = route53.list_hosted_zones_by_name(DNSName=real.zone)["HostedZones"][0]["Id"]
    for name, kind, value in (("a", "A", "192.0.2.1"), ("c", "CNAME", "other.test")):
        record = {
            "Name": f"{name}.{real.zone}", "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}],
        }  # fmt: skip
        route53.change_resource_record_sets(
            HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        )
        assert real.dns.current(real.zone, name) == value


@pytest.mark.sandbox
@pytest.mark.parametrize(("kind", "value"), [("A", "192.0.2.1"), ("CNAME", "other.test")])
def test_what_stood_there_before_can_be_put_back(
    sandbox: RunningSandbox, real: Scene, kind: str, value: str
) -> None:
    """Kind, value and TTL of the replaced record are told; a CNAME makes place; put back, it is as it was."""
    route53 = sandbox.client("route53")
    zone_id = route53.list_hosted_zones_by_name(DNSName=real.zone)["HostedZones"][0]["Id"]
    name = f"www.{real.zone}."
    old = {"Name": name, "Type": kind, "TTL": 300, "ResourceRecords": [{"Value": value}]}

    def batch(*changes: tuple[str, dict[str, object]]) -> None:
        made = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
        route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": made})

    batch(("CREATE", old))
    _, told = real.point("www", NEW)
    assert told[0] == f"pointing {name} to {NEW.load_balancer_dns}, which was {kind} {value} (TTL 300 s)"
    assert real.dns.current(real.zone, "www") == NEW.load_balancer_dns
    sets = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    batch(("DELETE", next(r for r in sets if r["Name"] == name)), ("CREATE", old))
    assert real.dns.current(real.zone, "www") == value


@pytest.mark.sandbox
def test_a_missing_zone_is_named(sandbox: RunningSandbox) -> None:
    """A zone that does not exist is told by name, and nothing is written elsewhere."""
    dns = Route53Dns(aws_of(sandbox))
    with pytest.raises(NotFoundError, match=r"no hosted zone nowhere\.test"):
        dns.current("nowhere.test", "www")
    with pytest.raises(NotFoundError, match=r"no hosted zone nowhere\.test"):
        dns.point("nowhere.test", "www", OLD, lambda _: None)


def test_route_53_that_does_not_answer_is_an_error() -> None:
    """Not being able to look is never "no record"."""
    with pytest.raises(UnavailableError) as error:
        Route53Dns(aws_that_does_not_answer()).current("example.test", "www")
    assert isinstance(error.value, ProviderError)
