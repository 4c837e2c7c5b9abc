"""Amazon S3: writes with conditions, versions, listings, presigned addresses, bucket policies.

S3 user guide: "Add preconditions to S3 operations with conditional requests", "Retaining multiple versions of
objects with S3 Versioning", "Download and upload objects with presigned URLs", "Examples of Amazon S3 bucket
policies". S3 API reference: PutObject, GetObject, CompleteMultipartUpload, ListObjectsV2.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox

pytestmark = pytest.mark.sandbox


class Bucket:
    """A bucket of its own."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.s3, self.name = sandbox.client("s3"), f"t{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.name)

    def put(self, key: str, body: bytes = b"x", **more: Any) -> str:
        """Put an object; its ETag."""
        return str(self.s3.put_object(Bucket=self.name, Key=key, Body=body, **more)["ETag"])

    def body(self, key: str, **more: Any) -> bytes:
        """An object's content."""
        return bytes(self.s3.get_object(Bucket=self.name, Key=key, **more)["Body"].read())

    def refused(self, call: str, **more: Any) -> tuple[int, str]:
        """Status and code of a call that is refused."""
        with pytest.raises(ClientError) as refused:
            getattr(self.s3, call)(Bucket=self.name, **more)
        answer = refused.value.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.fixture
def bucket(sandbox: RunningSandbox) -> Iterator[Bucket]:
    """An empty bucket."""
    made = Bucket(sandbox)
    yield made
    made.s3.delete_bucket_policy(Bucket=made.name)


def test_if_none_match_creates_once(bucket: Bucket) -> None:
    """`If-None-Match: *` is 412 PreconditionFailed when there is an object; after a delete it creates."""
    bucket.put("k", IfNoneMatch="*")
    assert bucket.refused("put_object", Key="k", IfNoneMatch="*") == (412, "PreconditionFailed")
    bucket.s3.delete_object(Bucket=bucket.name, Key="k")
    bucket.put("k", IfNoneMatch="*")


def test_if_match_replaces_what_was_read(bucket: Bucket) -> None:
    """`If-Match` with an old ETag is 412, of an object that is not there 404 NoSuchKey."""
    first = bucket.put("k", b"1", IfNoneMatch="*")
    bucket.put("k", b"2", IfMatch=first)
    assert bucket.refused("put_object", Key="k", Body=b"3", IfMatch=first) == (412, "PreconditionFailed")
    assert bucket.body("k") == b"2"
    assert bucket.refused("put_object", Key="none", IfMatch=first) == (404, "NoSuchKey")


def test_a_multipart_upload_has_conditions(bucket: Bucket) -> None:
    """CompleteMultipartUpload with `If-None-Match: *` is 412 when somebody was faster."""
    upload = bucket.s3.create_multipart_upload(Bucket=bucket.name, Key="k")["UploadId"]
    part = bucket.s3.upload_part(Bucket=bucket.name, Key="k", UploadId=upload, PartNumber=1, Body=b"part")
    bucket.put("k", b"faster")
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    asked = {"Key": "k", "UploadId": upload, "MultipartUpload": parts}
    refused = bucket.refused("complete_multipart_upload", IfNoneMatch="*", **asked)
    assert refused == (412, "PreconditionFailed")
    etag = bucket.s3.complete_multipart_upload(Bucket=bucket.name, **asked)["ETag"]
    assert etag.strip('"').endswith("-1") and bucket.body("k") == b"part"


def test_reading_what_one_has_is_not_modified(bucket: Bucket) -> None:
    """GetObject with `If-None-Match` of the current ETag is 304, with `If-Match` of another 412."""
    etag = bucket.put("k")
    assert bucket.refused("get_object", Key="k", IfNoneMatch=etag)[0] == 304
    assert bucket.refused("get_object", Key="k", IfMatch='"other"') == (412, "PreconditionFailed")
    assert bucket.body("k", Range="bytes=0-0") == b"x"


def test_versions_are_kept(bucket: Bucket) -> None:
    """With versioning a delete is a marker, and old versions are read by their id."""
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    old = bucket.s3.put_object(Bucket=bucket.name, Key="k", Body=b"1")["VersionId"]
    bucket.put("k", b"2")
    assert bucket.s3.delete_object(Bucket=bucket.name, Key="k")["DeleteMarker"]
    assert bucket.refused("get_object", Key="k") == (404, "NoSuchKey")
    assert bucket.body("k", VersionId=old) == b"1"
    listed = bucket.s3.list_object_versions(Bucket=bucket.name)
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (2, 1)
    bucket.put("k", b"3", IfNoneMatch="*")  # "there is no current version"


def test_a_listing_is_paged_in_order(bucket: Bucket) -> None:
    """ListObjectsV2 goes on by its token; a delimiter rolls up what shares a prefix."""
    for key in ("a/2", "a/1", "b/1", "c"):
        bucket.put(key)
    pages = bucket.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket.name, PaginationConfig={"PageSize": 3}
    )
    assert [[o["Key"] for o in p["Contents"]] for p in pages] == [["a/1", "a/2", "b/1"], ["c"]]
    rolled = bucket.s3.list_objects_v2(Bucket=bucket.name, Delimiter="/")
    assert [p["Prefix"] for p in rolled["CommonPrefixes"]] == ["a/", "b/"]
    assert bucket.refused("get_object", Key="none") == (404, "NoSuchKey")


def test_a_presigned_address_needs_no_credentials(bucket: Bucket) -> None:
    """It gives and takes one object."""
    asked = {"Bucket": bucket.name, "Key": "k"}
    url = bucket.s3.generate_presigned_url("put_object", asked)
    assert requests.put(url, data=b"signed", timeout=5).status_code == 200
    assert requests.get(bucket.s3.generate_presigned_url("get_object", asked), timeout=5).content == b"signed"


def policy(bucket: Bucket, effect: str = "Deny", **more: Any) -> str:
    """A bucket policy about everybody and everything."""
    arn = f"arn:aws:s3:::{bucket.name}"
    statement = {"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"], **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_policys_condition_is_read(bucket: Bucket) -> None:
    """Denying what comes without TLS shuts nobody out who comes with it."""
    tls_only = policy(bucket, Condition={"Bool": {"aws:SecureTransport": "false"}})
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=tls_only)
    bucket.put("k")
    assert bucket.body("k") == b"x"
    assert len(bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"]) == 1


def test_a_policy_that_denies_denies_everybody(bucket: Bucket) -> None:
    """AccessDenied, the root user too; who may mend the policy always may."""
    bucket.put("k")
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=policy(bucket))
    assert bucket.refused("put_object", Key="k") == (403, "AccessDenied")
    assert bucket.refused("get_object", Key="k") == (403, "AccessDenied")
    assert bucket.refused("list_objects_v2") == (403, "AccessDenied")
    assert json.loads(bucket.s3.get_bucket_policy(Bucket=bucket.name)["Policy"])["Statement"]
    bucket.s3.delete_bucket_policy(Bucket=bucket.name)
    assert bucket.body("k") == b"x"


def test_settings_of_a_bucket_come_back(bucket: Bucket) -> None:
    """Lifecycle and public access block are told as they were given; without one its own error."""
    assert bucket.refused("get_bucket_lifecycle_configuration")[1] == "NoSuchLifecycleConfiguration"
    assert bucket.refused("get_public_access_block")[1] == "NoSuchPublicAccessBlockConfiguration"
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}  # fmt: skip
    bucket.s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": [rule]})
    (seen,) = bucket.s3.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert seen["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True,
             "RestrictPublicBuckets": True}  # fmt: skip
    bucket.s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=block)
    told = bucket.s3.get_public_access_block(Bucket=bucket.name)["PublicAccessBlockConfiguration"]
    assert told == block
