"""Probes of STS, IAM, S3, SQS and CloudWatch Logs."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from delivery_tests.sandbox.patches.probing import Caller, probe


@probe("patches.sts.root_user")
def root_user(caller: Caller) -> None:
    """Who was given no other credentials is the account's root user."""
    assert caller.client("sts").get_caller_identity()["Arn"].endswith(":root")


@probe("patches.sts.roles_that_exist")
def roles_that_exist(caller: Caller) -> None:
    """A role that nobody made is AccessDenied."""
    sts = caller.client("sts")
    account = sts.get_caller_identity()["Account"]
    try:
        sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/{caller.name}", RoleSessionName="probe")
    except sts.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
    else:
        raise AssertionError("it was assumed")


@probe("patches.iam.simulated_policies", not_bare="moto answers with a web page, which no client can read")
def simulated_policies(caller: Caller) -> None:
    """SimulateCustomPolicy tells what would be decided."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    found = caller.client("iam").simulate_custom_policy(
        PolicyInputList=[policy], ActionNames=["s3:GetObject", "s3:PutObject"]
    )["EvaluationResults"]
    assert [r["EvalDecision"] for r in found] == ["allowed", "implicitDeny"]


@probe("patches.s3.readable_bucket_policies")
def readable_bucket_policies(caller: Caller) -> None:
    """A bucket policy that is no JSON is MalformedPolicy, and the bucket goes on answering."""
    s3 = caller.client("s3")
    s3.create_bucket(Bucket=caller.name)
    try:
        s3.put_bucket_policy(Bucket=caller.name, Policy="nix")
    except s3.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "MalformedPolicy"
    else:
        raise AssertionError("it was taken")
    assert s3.list_objects_v2(Bucket=caller.name)["KeyCount"] == 0


@probe("patches.s3.conditions_of_bucket_policies")
def conditions_of_bucket_policies(caller: Caller) -> None:
    """A bucket that denies what comes without TLS can be written to."""
    s3 = caller.client("s3")
    s3.create_bucket(Bucket=caller.name)
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{caller.name}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=caller.name, Policy=json.dumps(policy))
    try:
        s3.put_object(Bucket=caller.name, Key="k", Body=b"x")
    finally:
        s3.delete_bucket_policy(Bucket=caller.name)


@probe("patches.sqs.long_polling", not_bare="the lock that a poll would hold is the sandbox's, moto has none")
def long_polling(caller: Caller) -> None:
    """While somebody polls a queue, others are answered."""
    sqs = caller.client("sqs")
    url = sqs.create_queue(QueueName=caller.name)["QueueUrl"]
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        for _ in range(10):
            caller.client("sqs").list_queues()
        assert not poll.done()
        sqs.send_message(QueueUrl=url, MessageBody="m")
        assert poll.result(timeout=20)["Messages"]


@probe("patches.logs.events_by_time")
def events_by_time(caller: Caller) -> None:
    """FilterLogEvents sorts the events of all streams by time."""
    logs = caller.client("logs")
    logs.create_log_group(logGroupName=caller.name)
    now = int(time.time() * 1000)
    for offset, stream in enumerate("ab"):
        logs.create_log_stream(logGroupName=caller.name, logStreamName=stream)
        events = [{"timestamp": now - 100 + 10 * n + offset, "message": f"{stream}{n}"} for n in range(2)]
        logs.put_log_events(logGroupName=caller.name, logStreamName=stream, logEvents=events)
    told = [e["message"] for e in logs.filter_log_events(logGroupName=caller.name)["events"]]
    assert told == ["a0", "b0", "a1", "b1"]
