"""ECR's probes."""

import base64
import json

import requests

from delivery_tests.sandbox.patches.probing import Caller, probe

KIND = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def registry_of(caller: Caller, **more: str) -> str:
    """Make a repository `caller.name`; its address in a registry that answers."""
    ecr = caller.client("ecr")
    uri: str = ecr.create_repository(repositoryName=caller.name, **more)["repository"]["repositoryUri"]
    host, _, name = uri.partition("/")
    assert host.startswith("127."), "nobody can push to it"
    assert name == caller.name
    return host


def login(caller: Caller) -> tuple[str, str]:
    """User and password, as GetAuthorizationToken gives them."""
    (data,) = caller.client("ecr").get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return user, password


def manifest() -> dict[str, object]:
    """The smallest image there is."""
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": CONFIG}
    return {"schemaVersion": 2, "mediaType": KIND, "layers": [], "config": config}


def push(caller: Caller, tag: str = "one", **more: str) -> str:
    """Push the smallest image there is by the registry's own API; its digest."""
    host, who = registry_of(caller, **more), login(caller)
    url = f"http://{host}/v2/{caller.name}"
    place = requests.post(f"{url}/blobs/uploads/", auth=who, timeout=5).headers["Location"]
    requests.put(f"{place}&digest={CONFIG}", data=b"{}", auth=who, timeout=5).raise_for_status()
    done = requests.put(
        f"{url}/manifests/{tag}", json=manifest(), headers={"Content-Type": KIND}, auth=who, timeout=5
    )
    done.raise_for_status()
    return done.headers["Docker-Content-Digest"]


@probe("ecr.api.uris_of_the_registry")
def uris_of_the_registry(caller: Caller) -> None:
    """A repository's URI names a registry that can be pushed to."""
    assert requests.get(f"http://{registry_of(caller)}/v2/", auth=login(caller), timeout=5).ok


@probe("ecr.api.token_for_the_registry")
def token_for_the_registry(caller: Caller) -> None:
    """The login is for the registry that repositories are in, as the user AWS."""
    (data,) = caller.client("ecr").get_authorization_token()["authorizationData"]
    assert data["proxyEndpoint"].startswith("http://127.")
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")


@probe("ecr.api.pushed_images")
def pushed_images(caller: Caller) -> None:
    """What was pushed to the registry is described by ECR."""
    digest = push(caller)
    (image,) = caller.client("ecr").describe_images(repositoryName=caller.name)["imageDetails"]
    assert (image["imageDigest"], image["imageTags"]) == (digest, ["one"])


@probe("ecr.api.manifests_by_the_api")
def manifests_by_the_api(caller: Caller) -> None:
    """PutImage of another image under an immutable tag is ImageTagAlreadyExistsException."""
    ecr = caller.client("ecr")
    ecr.create_repository(repositoryName=caller.name, imageTagMutability="IMMUTABLE")
    codes = []
    for layer in ("a", "b"):
        text = json.dumps({**manifest(), "layers": [{"digest": layer}]})
        try:
            ecr.put_image(repositoryName=caller.name, imageManifest=text, imageTag="v1")
        except ecr.exceptions.ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes == ["ImageTagAlreadyExistsException"]


@probe("ecr.api.layers_from_the_registry")
def layers_from_the_registry(caller: Caller) -> None:
    """GetDownloadUrlForLayer gives an address where the layer lies."""
    push(caller)
    found = caller.client("ecr").get_download_url_for_layer(repositoryName=caller.name, layerDigest=CONFIG)
    assert requests.get(found["downloadUrl"], timeout=5).content == b"{}"


@probe("ecr.api.honest_scans", not_bare="the image must have been pushed to a registry, and moto has none")
def honest_scans(caller: Caller) -> None:
    """A scan of an image that nothing was seeded for finds nothing; moto's finds one HIGH."""
    image = {"imageDigest": push(caller)}
    ecr = caller.client("ecr")
    ecr.start_image_scan(repositoryName=caller.name, imageId=image)
    found = ecr.describe_image_scan_findings(repositoryName=caller.name, imageId=image)
    assert found["imageScanFindings"].get("findingSeverityCounts", {}) == {}


@probe("ecr.deleting.images_deleted")
def images_deleted(caller: Caller) -> None:
    """A tag with another image's digest deletes nothing: ImageTagDoesNotMatchDigest."""
    ecr = caller.client("ecr")
    ecr.create_repository(repositoryName=caller.name)
    text = json.dumps(manifest())
    made = ecr.put_image(repositoryName=caller.name, imageManifest=text, imageTag="v1")["image"]["imageId"]
    wanted = [{"imageTag": "other", "imageDigest": made["imageDigest"]}]
    gone = ecr.batch_delete_image(repositoryName=caller.name, imageIds=wanted)
    assert [f["failureCode"] for f in gone["failures"]] == ["ImageTagDoesNotMatchDigest"]


@probe("ecr.previews.lifecycle_previews", not_bare="moto answers with a web page, which no client can read")
def lifecycle_previews(caller: Caller) -> None:
    """A lifecycle policy's preview is COMPLETE once it was started."""
    ecr = caller.client("ecr")
    ecr.create_repository(repositoryName=caller.name)
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    text = json.dumps({"rules": [rule]})
    ecr.start_lifecycle_policy_preview(repositoryName=caller.name, lifecyclePolicyText=text)
    assert ecr.get_lifecycle_policy_preview(repositoryName=caller.name)["status"] == "COMPLETE"
