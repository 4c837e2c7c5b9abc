"""Probes of the clock's patch."""

from __future__ import annotations

import time

from delivery.sandbox.control import Control
from delivery_tests.sandbox.patches.probing import Caller, probe


@probe("patches.clock.awss_time", not_bare="bare moto has no clock of its own that could be set")
def awss_time(caller: Caller) -> None:
    """With AWS's clock 200 s ahead a new secret and a new role are of that time."""
    control = Control(caller.endpoint)
    control.skew(200)
    try:
        secret = caller.client("secretsmanager").create_secret(Name=caller.name, SecretString="x")
        shown = caller.client("secretsmanager").describe_secret(SecretId=secret["ARN"])
        role = caller.client("iam").create_role(RoleName=caller.name, AssumeRolePolicyDocument="{}")
    finally:
        control.skew(0)
    for moment in (shown["CreatedDate"], role["Role"]["CreateDate"]):
        assert moment.timestamp() - time.time() > 100
