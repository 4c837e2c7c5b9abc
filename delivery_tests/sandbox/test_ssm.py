"""AWS Systems Manager Parameter Store, Secrets Manager and CloudWatch Logs, as tasks and operators use them.

SSM API reference: GetParameter, GetParametersByPath, PutParameter. Secrets Manager API reference:
GetSecretValue, DeleteSecret, PutSecretValue. CloudWatch Logs API reference: GetLogEvents, FilterLogEvents.
"""

from __future__ import annotations

import time
import uuid

import pytest
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"t{uuid.uuid4().hex[:8]}"


def test_parameters_are_read_by_name_and_path(sandbox: RunningSandbox, name: str) -> None:
    """Unknown ones are ParameterNotFound alone, and told apart among several."""
    ssm = sandbox.client("ssm")
    for part in ("a", "b", "deep/c"):
        ssm.put_parameter(Name=f"/{name}/{part}", Value=part, Type="String")
    several = ssm.get_parameters(Names=[f"/{name}/a", f"/{name}/none"])
    assert ([p["Value"] for p in several["Parameters"]], several["InvalidParameters"]) == (
        ["a"], [f"/{name}/none"],
    )  # fmt: skip
    flat = ssm.get_parameters_by_path(Path=f"/{name}")["Parameters"]
    deep = ssm.get_parameters_by_path(Path=f"/{name}", Recursive=True)["Parameters"]
    assert (sorted(p["Value"] for p in flat), len(deep)) == (["a", "b"], 3)
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=f"/{name}/none")


def test_a_secure_string_is_decrypted_on_demand(sandbox: RunningSandbox, name: str) -> None:
    """Without WithDecryption it is ciphertext."""
    ssm = sandbox.client("ssm")
    ssm.put_parameter(Name=name, Value="v", Type="SecureString")
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "v"
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] != "v"


def test_a_parameter_has_versions_and_labels(sandbox: RunningSandbox, name: str) -> None:
    """Writing again needs Overwrite; old versions are read by number or label."""
    ssm = sandbox.client("ssm")
    ssm.put_parameter(Name=name, Value="1", Type="String")
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name=name, Value="2", Type="String")
    assert ssm.put_parameter(Name=name, Value="2", Type="String", Overwrite=True)["Version"] == 2
    ssm.label_parameter_version(Name=name, ParameterVersion=1, Labels=["good"])
    assert ssm.get_parameter(Name=f"{name}:1")["Parameter"]["Value"] == "1"
    assert ssm.get_parameter(Name=f"{name}:good")["Parameter"]["Value"] == "1"
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "2"


def test_a_secret_is_found_by_name_and_arn(sandbox: RunningSandbox, name: str) -> None:
    """Also by an ARN without the six random characters at its end."""
    secrets = sandbox.client("secretsmanager")
    arn = secrets.create_secret(Name=name, SecretString="s")["ARN"]
    for named in (name, arn, arn[:-7]):
        assert secrets.get_secret_value(SecretId=named)["SecretString"] == "s"
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId=f"{name}none")


def test_a_secret_has_versions(sandbox: RunningSandbox, name: str) -> None:
    """PutSecretValue moves AWSCURRENT, and AWSPREVIOUS to the one before."""
    secrets = sandbox.client("secretsmanager")
    first = secrets.create_secret(Name=name, SecretString="1")["VersionId"]
    secrets.put_secret_value(SecretId=name, SecretString="2")
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "2"
    assert secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["SecretString"] == "1"
    assert secrets.get_secret_value(SecretId=name, VersionId=first)["SecretString"] == "1"


def test_a_deleted_secret_is_not_read(sandbox: RunningSandbox, name: str) -> None:
    """InvalidRequestException until it is restored."""
    secrets = sandbox.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="s")
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    with pytest.raises(secrets.exceptions.InvalidRequestException):
        secrets.get_secret_value(SecretId=name)
    secrets.restore_secret(SecretId=name)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "s"


def test_log_events_are_paged_in_order(sandbox: RunningSandbox, name: str) -> None:
    """GetLogEvents goes on by its token, the same again at the end; FilterLogEvents sorts by time."""
    logs = sandbox.client("logs")
    logs.create_log_group(logGroupName=name)
    now = int(time.time() * 1000)
    for stream, minute in (("a", 0), ("b", 1)):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
        events = [{"timestamp": now - 9000 + 2 * n + minute, "message": f"{stream}{n}"} for n in range(3)]
        logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=events)
    asked = {"logGroupName": name, "logStreamName": "a", "startFromHead": True, "limit": 2}
    first = logs.get_log_events(**asked)
    second = logs.get_log_events(**asked, nextToken=first["nextForwardToken"])
    end = logs.get_log_events(**asked, nextToken=second["nextForwardToken"])
    assert [[e["message"] for e in p["events"]] for p in (first, second, end)] == [["a0", "a1"], ["a2"], []]
    assert end["nextForwardToken"] == second["nextForwardToken"]
    found = logs.filter_log_events(logGroupName=name)["events"]
    assert [e["message"] for e in found] == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_log_groups_are_kept_as_told(sandbox: RunningSandbox, name: str) -> None:
    """Retention is told back; unknown groups are ResourceNotFoundException, known ones not made twice."""
    logs = sandbox.client("logs")
    logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=name, retentionInDays=14)
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["retentionInDays"] == 14
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=name)
    for call in (logs.filter_log_events, logs.describe_log_streams):
        with pytest.raises(logs.exceptions.ResourceNotFoundException):
            call(logGroupName=f"{name}none")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.get_log_events(logGroupName=name, logStreamName="none")
