"""Amazon ECR: pushed and pulled with its login, tags that may not move, scans, and what the API tells.

ECR user guide: "Private registry authentication", "Pushing a Docker image", "Pushing a multi-architecture
image", "Preventing image tags from being overwritten", "Image scanning". ECR API reference: DescribeImages,
ListImages, BatchGetImage, BatchDeleteImage, PutImage, StartImageScan, DescribeImageScanFindings.
"""

from __future__ import annotations

import io
import json
from typing import Any

import docker
import pytest
import requests
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.ecr_repository import IMAGE, INDEX, Repo, digest, rule


@pytest.fixture
def repo(sandbox: RunningSandbox) -> Repo:
    """An empty repository with mutable tags."""
    return Repo(sandbox)


@pytest.mark.sandbox
def test_docker_pushes_and_pulls_with_ecrs_login(repo: Repo, docker_client: docker.DockerClient) -> None:
    """DescribeImages tells the digest that `docker push` computed; it is pulled by it, with a login only."""
    user, password = repo.login
    login = {"username": user, "password": password}
    text = f"FROM scratch\nCOPY Dockerfile /{repo.name}\n"
    docker_client.images.build(fileobj=io.BytesIO(text.encode()), tag=f"{repo.uri}:one", rm=True)
    try:
        lines = list(docker_client.api.push(repo.uri, tag="one", auth_config=login, stream=True, decode=True))
        pushed = next(line["aux"]["Digest"] for line in lines if "aux" in line)
        (image,) = repo.ecr.describe_images(repositoryName=repo.name)["imageDetails"]
        assert (image["imageDigest"], image["imageTags"]) == (pushed, ["one"])
        assert image["imageManifestMediaType"] == IMAGE and image["imageSizeInBytes"] > 100
        docker_client.images.pull(f"{repo.uri}@{pushed}", auth_config=login)
        wrong = {"username": "AWS", "password": "wrong"}
        with pytest.raises(docker.errors.APIError, match=r"no basic auth credentials|unauthorized"):
            docker_client.api.pull(repo.uri, "one", auth_config=wrong)
    finally:
        docker_client.images.remove(f"{repo.uri}:one", force=True)


@pytest.mark.sandbox
def test_the_registry_asks_for_a_login(repo: Repo) -> None:
    """Without one it is 401 with a Basic challenge; the user is AWS, the token for 12 hours."""
    answer = requests.get(f"{repo.url}/tags/list", timeout=5)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert requests.get(f"{repo.url}/tags/list", auth=("AWS", "wrong"), timeout=5).status_code == 401
    assert requests.get(f"{repo.url}/tags/list", auth=repo.login, timeout=5).json()["tags"] == []


@pytest.mark.sandbox
def test_an_immutable_tag_stays(sandbox: RunningSandbox) -> None:
    """Another image under a tag that exists is refused by push and by PutImage; the same image is not."""
    repo = Repo(sandbox, {"imageTagMutability": "IMMUTABLE"})
    first = repo.push("one", "v1")
    refused = repo.put(other := repo.manifest("two"), "v1")
    assert refused.status_code == 400 and refused.json()["errors"][0]["code"] == "TAG_INVALID"
    assert "cannot be overwritten because the tag is immutable" in refused.json()["errors"][0]["message"]
    with pytest.raises(repo.ecr.exceptions.ImageTagAlreadyExistsException):
        repo.ecr.put_image(repositoryName=repo.name, imageManifest=other, imageTag="v1")
    assert repo.push("one", "v1") == first == repo.get("v1").headers["Docker-Content-Digest"]
    assert repo.push("two", "v2") != first
    repo.ecr.put_image_tag_mutability(repositoryName=repo.name, imageTagMutability="MUTABLE")
    assert repo.push("two", "v1") != first


@pytest.mark.sandbox
def test_an_image_that_loses_its_tag_stays_untagged(repo: Repo) -> None:
    """ListImages filters by tag status; DescribeImages has no `imageTags` for it."""
    old, new = repo.push("one", "latest"), repo.push("two", "latest")
    tagged = repo.ecr.list_images(repositoryName=repo.name, filter={"tagStatus": "TAGGED"})["imageIds"]
    untagged = repo.ecr.list_images(repositoryName=repo.name, filter={"tagStatus": "UNTAGGED"})["imageIds"]
    assert (tagged, untagged) == ([{"imageDigest": new, "imageTag": "latest"}], [{"imageDigest": old}])
    (image,) = repo.ecr.describe_images(repositoryName=repo.name, imageIds=[{"imageDigest": old}])[
        "imageDetails"
    ]
    assert "imageTags" not in image and image["imageSizeInBytes"] == len(b"{}") + len(b"one")


@pytest.mark.sandbox
def test_listings_are_paged(repo: Repo) -> None:
    """maxResults and nextToken, of ListImages and DescribeImages."""
    pushed = {repo.push(str(n), f"v{n}") for n in range(3)}
    for name, rows in (("list_images", "imageIds"), ("describe_images", "imageDetails")):
        pages = list(
            repo.ecr.get_paginator(name).paginate(repositoryName=repo.name, PaginationConfig={"PageSize": 2})
        )
        assert [len(p[rows]) for p in pages] == [2, 1]
        assert {i["imageDigest"] for p in pages for i in p[rows]} == pushed


@pytest.mark.sandbox
def test_a_multi_architecture_image_is_a_list_of_others(repo: Repo) -> None:
    """Its size is that of its largest image; one that it names is not deleted by digest."""
    parts = [repo.manifest("amd"), repo.manifest("arm64")]
    for part in parts:
        assert repo.put(part, digest(part.encode())).status_code == 201
    platforms = [{"os": "linux", "architecture": a} for a in ("amd64", "arm64")]
    listed: list[dict[str, Any]] = [
        {"mediaType": IMAGE, "digest": digest(p.encode()), "size": len(p), "platform": on}
        for p, on in zip(parts, platforms, strict=True)
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})
    assert repo.put(index, "multi", INDEX).status_code == 201
    named = [{"imageTag": "multi"}]
    (image,) = repo.ecr.describe_images(repositoryName=repo.name, imageIds=named)["imageDetails"]
    assert image["imageManifestMediaType"] == INDEX
    assert image["imageSizeInBytes"] == len(b"{}") + len(b"arm64")
    (failure,) = repo.ecr.batch_delete_image(
        repositoryName=repo.name, imageIds=[{"imageDigest": listed[0]["digest"]}]
    )["failures"]
    assert failure["failureCode"] == "ImageReferencedByManifestList"
    asked = repo.ecr.batch_get_image(repositoryName=repo.name, imageIds=named, acceptedMediaTypes=[IMAGE])
    assert asked["failures"][0]["failureCode"] == "ImageNotFound"


@pytest.mark.sandbox
def test_a_deleted_image_is_not_pulled(repo: Repo) -> None:
    """BatchDeleteImage takes a tag away, with the last one the image; the registry does not give it."""
    pushed = repo.push("one", "v1")
    assert repo.push("one", "v2") == pushed
    repo.ecr.batch_delete_image(repositoryName=repo.name, imageIds=[{"imageTag": "v1"}])
    assert (repo.get("v1").status_code, repo.get("v2").status_code) == (404, 200)
    with pytest.raises(repo.ecr.exceptions.RepositoryNotEmptyException):
        repo.ecr.delete_repository(repositoryName=repo.name)
    gone = repo.ecr.batch_delete_image(
        repositoryName=repo.name, imageIds=[{"imageTag": "v2"}, {"imageTag": "x"}]
    )
    assert gone["imageIds"] == [{"imageDigest": pushed, "imageTag": "v2"}]
    assert gone["failures"][0]["failureCode"] == "ImageNotFound"
    assert repo.get(pushed).json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"
    repo.ecr.delete_repository(repositoryName=repo.name)


@pytest.mark.sandbox
def test_a_layer_is_downloaded_by_a_signed_address(repo: Repo) -> None:
    """GetDownloadUrlForLayer's address needs no login, but its signature; no layer, no address."""
    repo.push("one", "v1")
    layer = digest(b"one")
    url = repo.ecr.get_download_url_for_layer(repositoryName=repo.name, layerDigest=layer)["downloadUrl"]
    assert requests.get(url, timeout=5).content == b"one"
    assert requests.get(url.split("?")[0], timeout=5).status_code == 401
    with pytest.raises(repo.ecr.exceptions.LayersNotFoundException):
        repo.ecr.get_download_url_for_layer(repositoryName=repo.name, layerDigest=digest(b"none"))
    checked = repo.ecr.batch_check_layer_availability(
        repositoryName=repo.name, layerDigests=[layer, digest(b"none")]
    )["layers"]
    assert [c["layerAvailability"] for c in checked] == ["AVAILABLE", "UNAVAILABLE"]


@pytest.mark.sandbox
def test_a_manifest_needs_its_layers(repo: Repo) -> None:
    """The registry refuses an image whose layer was never uploaded; a repository must be there."""
    manifest = json.loads(repo.manifest("one"))
    manifest["layers"][0]["digest"] = digest(b"never")
    refused = repo.put(json.dumps(manifest), "v1")
    assert refused.json()["errors"][0]["code"] in ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")
    assert repo.ecr.list_images(repositoryName=repo.name)["imageIds"] == []
    nowhere = requests.post(f"{repo.url}x/blobs/uploads/", auth=repo.login, timeout=5)
    assert nowhere.status_code == 404 and nowhere.json()["errors"][0]["code"] == "NAME_UNKNOWN"


@pytest.mark.sandbox
def test_a_scan_finds_what_was_seeded(sandbox: RunningSandbox, repo: Repo) -> None:
    """Nothing said is clean; seeded findings are counted. One scan a day; none, no findings."""
    image = {"imageDigest": repo.push(repo.name, "v1")}
    asked: dict[str, Any] = {"repositoryName": repo.name, "imageId": image}
    with pytest.raises(repo.ecr.exceptions.ScanNotFoundException):
        repo.ecr.describe_image_scan_findings(**asked)
    assert repo.ecr.start_image_scan(**asked)["imageScanStatus"]["status"] == "IN_PROGRESS"

    def found() -> dict[str, int]:
        answer = repo.ecr.describe_image_scan_findings(**asked)
        assert answer["imageScanStatus"]["status"] == "COMPLETE"
        return dict(answer["imageScanFindings"]["findingSeverityCounts"])

    assert found() == {}
    sandbox.control.findings(image["imageDigest"], HIGH=2, LOW=1)
    assert found() == {"HIGH": 2, "LOW": 1}
    with pytest.raises(repo.ecr.exceptions.LimitExceededException, match="scan quota per image"):
        repo.ecr.start_image_scan(**asked)
    repo.ecr.get_waiter("image_scan_complete").wait(**asked)


@pytest.mark.sandbox
def test_scan_on_push_scans(sandbox: RunningSandbox) -> None:
    """A repository with scanOnPush has scanned what was pushed; DescribeImages sums it up."""
    repo = Repo(sandbox, {"imageScanningConfiguration": {"scanOnPush": True}})
    repo.push(repo.name, "v1")
    (image,) = repo.ecr.describe_images(repositoryName=repo.name)["imageDetails"]
    assert image["imageScanStatus"]["status"] == "COMPLETE"
    assert image["imageScanFindingsSummary"]["findingSeverityCounts"] == {}


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda c, n: c.describe_images(repositoryName=n, imageIds=[{"imageTag": "none"}]),
         "ImageNotFoundException"),
        (lambda c, n: c.describe_images(repositoryName=f"{n}x"), "RepositoryNotFoundException"),
        (lambda c, n: c.create_repository(repositoryName=n), "RepositoryAlreadyExistsException"),
        (lambda c, n: c.get_lifecycle_policy(repositoryName=n), "LifecyclePolicyNotFoundException"),
        (lambda c, n: c.get_repository_policy(repositoryName=n), "RepositoryPolicyNotFoundException"),
        (lambda c, n: c.put_lifecycle_policy(repositoryName=n, lifecyclePolicyText=" " * 100),
         "InvalidParameterException"),
        (lambda c, n: c.start_image_scan(repositoryName=n, imageId={"imageTag": "none"}),
         "ImageNotFoundException"),
    ],
)  # fmt: skip
def test_errors_of_ecr(repo: Repo, call: Any, code: str) -> None:
    """What is not there, there already, or not valid is refused with ECR's own code."""
    with pytest.raises(ClientError) as refused:
        call(repo.ecr, repo.name)
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.sandbox
def test_a_dead_registry_refuses_and_comes_back(sandbox: RunningSandbox, repo: Repo) -> None:
    """While the registry is down nothing answers on its port; started again it has what it had."""
    pushed = repo.push("one", "v1")
    sandbox.control.registry(False)
    try:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{repo.url}/tags/list", timeout=2)
    finally:
        sandbox.control.registry(True)
    assert repo.get("v1").headers["Docker-Content-Digest"] == pushed
    asked = {"repositoryName": repo.name, "layerDigest": digest(b"one")}
    url = repo.ecr.get_download_url_for_layer(**asked)["downloadUrl"]
    assert requests.get(url, timeout=5).content == b"one"


@pytest.mark.sandbox
def test_a_lifecycle_policy_is_previewed(repo: Repo) -> None:
    """What the policy would expire is told, and nothing is deleted."""
    repo.push("one", "v1")
    new = repo.push("two", "v2")
    with pytest.raises(repo.ecr.exceptions.LifecyclePolicyPreviewNotFoundException):
        repo.ecr.get_lifecycle_policy_preview(repositoryName=repo.name)
    rules = [rule(1, "tagged", tagPrefixList=["v2"], countType="imageCountMoreThan", countNumber=1),
             rule(2, "any", countType="imageCountMoreThan", countNumber=2)]  # fmt: skip
    policy = json.dumps({"rules": rules})
    repo.ecr.start_lifecycle_policy_preview(repositoryName=repo.name, lifecyclePolicyText=policy)
    repo.ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=repo.name)
    told = repo.ecr.get_lifecycle_policy_preview(repositoryName=repo.name)
    assert told["previewResults"] == [] and told["summary"]["expiringImageTotalCount"] == 0
    repo.push("three", "v2-b")
    told = repo.ecr.get_lifecycle_policy_preview(repositoryName=repo.name)
    assert [r["appliedRulePriority"] for r in told["previewResults"]] == [1]
    assert repo.get(new).status_code == 200
