"""AWS's time in the sandbox: it may run faster than ours, and it may be off.

Source: none of AWS's; what is promised is that everything told in AWS's seconds shrinks by one factor.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest
from botocore.exceptions import ClientError

from delivery.sandbox.clock import Clock
from delivery_tests.conftest import SCALE, RunningSandbox


def test_with_a_scale_every_duration_shrinks_alike() -> None:
    """At scale 20 a minute of AWS's takes three seconds of ours, and now is still now."""
    clock = Clock()
    clock.start(20.0)
    assert clock.real(60) == 3
    assert abs(clock.now() - time.time()) < 60
    began = clock.at(time.time())
    assert clock.at(time.time() + 3) - began == pytest.approx(60, abs=2)


def test_skew_moves_the_time_told_and_no_duration() -> None:
    """A clock that is off tells other times; what lasts so long lasts as long as before."""
    clock = Clock()
    before, steady = clock.now(), clock.monotonic()
    clock.skew = 400.0
    assert clock.now() - before == pytest.approx(400, abs=5)
    assert clock.monotonic() - steady == pytest.approx(0, abs=5)
    assert clock.utcnow().timestamp() == pytest.approx(clock.now(), abs=5)


def test_requests_may_be_signed_with_our_time_or_with_awss() -> None:
    """Clients sign with this machine's clock, whatever the scale, or with AWS's when they follow `Date`."""
    clock = Clock()
    clock.start(1000.0)
    clock.skew = 50.0
    ours, awss = clock.signed()
    assert ours == pytest.approx(time.time() + 50, abs=5)
    assert awss >= ours


def test_waiting_ends_early_when_it_is_told_to() -> None:
    """A wait of AWS seconds can be called off."""
    called_off = threading.Event()
    called_off.set()
    assert Clock().wait(3600, called_off)


@pytest.mark.sandbox
def test_what_services_stamp_is_awss_time(compressed: RunningSandbox) -> None:
    """A role's creation, a secret's, and the header `Date` are of one clock."""
    before = compressed.now()
    role = compressed.client("iam").create_role(RoleName="clock", AssumeRolePolicyDocument="{}")
    secret = compressed.client("secretsmanager").create_secret(Name="clock", SecretString="x")
    described = compressed.client("secretsmanager").describe_secret(SecretId=secret["ARN"])
    said: datetime = parsedate_to_datetime(described["ResponseMetadata"]["HTTPHeaders"]["date"])
    after = compressed.now()
    for moment in (role["Role"]["CreateDate"], described["CreatedDate"], said):
        assert before - 2 <= moment.timestamp() <= after + 2


@pytest.mark.sandbox
def test_the_control_api_tells_the_time(compressed: RunningSandbox) -> None:
    """`GET /_sandbox/clock` tells now, the scale, and the skew."""
    with urllib.request.urlopen(f"{compressed.endpoints.aws}/_sandbox/clock", timeout=30) as answer:
        told = json.loads(answer.read())
    assert told["scale"] == SCALE and told["skew"] == 0
    assert told["now"] <= compressed.now()


@pytest.mark.sandbox
def test_calls_of_a_client_whose_clock_is_off_are_refused(compressed: RunningSandbox) -> None:
    """Beyond five minutes AWS answers InvalidSignatureException; `Date` is true, and with it one can sign."""
    ecs = compressed.client("ecs")
    ahead = compressed.now() - time.time()  # this clock has run fast since the session began
    compressed.control.skew(-ahead - 4000)
    try:
        with pytest.raises(ClientError) as refused:
            ecs.list_clusters()
        said = refused.value.response
        date = parsedate_to_datetime(said["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
        assert said["Error"]["Code"] == "InvalidSignatureException"
        assert "Signature not yet current" in said["Error"]["Message"]
        assert date == pytest.approx(compressed.now(), abs=30 * SCALE)
    finally:
        compressed.control.skew(0)
    assert "clusterArns" in ecs.list_clusters()
