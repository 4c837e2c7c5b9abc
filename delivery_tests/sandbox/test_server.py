"""The sandbox's front door: HTTP as AWS's endpoints speak it, also with those who do not.

Sources: "Common errors" of AWS's API references; RFC 9112, "Message body length" and "Persistence".
"""

from __future__ import annotations

import socket

import pytest
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.test_faults_live import client

pytestmark = pytest.mark.sandbox


def raw(sandbox: RunningSandbox, request: bytes) -> bytes:
    """What is answered to these bytes, until the connection is closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", sandbox.config.aws_port), timeout=20) as connection:
        connection.sendall(request)
        while data := connection.recv(65536):
            answer += data
    return answer


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GARBAGE\r\n\r\n", b"400", b"BadRequest"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505", b"BadRequest"),
        (b"POST / HTTP/1.1\r\nContent-Length: abc\r\n\r\n", b"400", b"IncompleteBody"),
        (b"PUT /b/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400", b"IncompleteBody"),
        (b"FOO /b HTTP/1.1\r\nConnection: close\r\n\r\n", b"405", b"MethodNotAllowed"),
    ],
)
def test_garbage_is_refused_as_xml(
    sandbox: RunningSandbox, request_: bytes, status: bytes, code: bytes
) -> None:
    """What is no request of AWS's gets an error of AWS's form: no page, no stack trace."""
    answer = raw(sandbox, request_)
    assert answer.startswith(b"HTTP/1.1 " + status) and b"<Code>" + code + b"</Code>" in answer
    assert b"<html" not in answer.lower() and b"Traceback" not in answer


def test_what_is_not_played_is_refused(sandbox: RunningSandbox) -> None:
    """What moto does not have, or would only claim, is no success and no 5xx: clients need not try again."""
    for service, operation, parameters in (
        ("cloudwatch", "describe_anomaly_detectors", {}),
        ("logs", "start_query", {"startTime": 0, "endTime": 1, "queryString": "x", "logGroupName": "g"}),
        ("ec2", "run_instances", {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1}),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(client(sandbox, service), operation)(**parameters)
        answer = refused.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert "The sandbox does not do" in answer["Error"]["Message"]


def test_one_connection_carries_many_requests(sandbox: RunningSandbox) -> None:
    """HTTP/1.1 keeps a connection open, after bodies of a known length, after chunked ones, after HEAD."""
    s3 = client(sandbox, "s3")
    s3.create_bucket(Bucket="kept-open", ACL="public-read-write")
    host = b"Host: 127.0.0.1\r\n"
    put = b"PUT /kept-open/a HTTP/1.1\r\n" + host + b"Content-Length: 5\r\n\r\nhello"
    chunked = b"PUT /kept-open/b HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel"
    chunked += b"lo\r\n6\r\n there\r\n0\r\n\r\n"
    head = b"HEAD /kept-open/b HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n"
    answer = raw(sandbox, put + chunked + head)
    assert answer.count(b"HTTP/1.1 200 OK") >= 2 and answer.count(b"HTTP/1.1 ") == 3
    assert s3.get_object(Bucket="kept-open", Key="b")["Body"].read() == b"hello there"


def test_a_slow_client_holds_up_nobody(sandbox: RunningSandbox) -> None:
    """A request whose body comes drop by drop waits alone."""
    with socket.create_connection(("127.0.0.1", sandbox.config.aws_port)) as slow:
        slow.sendall(b"PUT /kept-open/c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx")
        assert "clusterArns" in client(sandbox, "ecs").list_clusters()


def test_a_large_object_comes_back_whole(sandbox: RunningSandbox) -> None:
    """Fifty megabytes up and down."""
    s3, body = client(sandbox, "s3"), bytes(range(256)) * 195_313
    s3.create_bucket(Bucket="large-object")
    s3.put_object(Bucket="large-object", Key="k", Body=body)
    assert s3.head_object(Bucket="large-object", Key="k")["ContentLength"] == len(body)
    assert s3.get_object(Bucket="large-object", Key="k")["Body"].read() == body
