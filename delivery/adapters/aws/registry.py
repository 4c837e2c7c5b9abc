"""The port `Registry` on Amazon ECR: what its API tells, and pushes through the local Docker engine."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import requests
from botocore.exceptions import ClientError

from delivery.adapters.aws.errors import code_of, translated
from delivery.adapters.aws.session import Aws
from delivery.adapters.docker.push import Login, push
from delivery.core.build import BuiltImage, PushedImage, ScanReport
from delivery.core.release import Image
from delivery.errors import (
    ConflictError,
    DeliveryError,
    NotFoundError,
    ProviderError,
    UnavailableError,
)
from delivery.ports import Progress

_MANIFESTS = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
]
#: Answers of StartImageScan that leave findings to read: scanned within the last 24 hours, or scanned by
#: the registry itself (enhanced scanning). Source: ECR API reference, StartImageScan.
_SCANNED = {"LimitExceededException", "ValidationException"}
#: Seconds between looks at a running scan, and how many of them.
SCAN_PAUSE, SCAN_LOOKS = 5.0, 120


class EcrRegistry:
    """The account's own registry. `pause` sleeps between looks at a scan; tests give their own."""

    def __init__(self, aws: Aws, pause: Callable[[float], None] = time.sleep) -> None:
        self._aws, self._pause = aws, pause

    @property
    def _ecr(self) -> Any:
        return self._aws.client("ecr")

    def find(self, repository: str, tag: str) -> PushedImage | None:
        """The image already pushed under this tag, labels included; None if there is none."""
        detail = self._detail(repository, imageTag=tag)
        if detail is None:
            return None
        image = Image(self._uri(repository), detail["imageDigest"])
        labels = self._labels(repository, image.digest)
        return PushedImage(image, tag, detail["imagePushedAt"], labels, reused=True)

    def push(self, built: BuiltImage, repository: str, tag: str, progress: Progress) -> PushedImage:
        """Push the local image; the digest is the one the registry computed.

        ConflictError when the tag already names another image (ECR's tags may be immutable).
        """
        uri = self._uri(repository)
        digest = push(built.image_id, uri, tag, self._login(), progress)
        found = self.find(repository, tag)
        if found is None:
            raise UnavailableError(
                f"{uri}:{tag} cannot be found after its push", "ECR does not list it yet", "Retry."
            )
        if found.image.digest != digest:
            raise ConflictError(
                f"{uri}:{tag} is not what was pushed",
                f"pushed {digest[:19]}, found {found.image.digest[:19]}: somebody else pushed this tag",
                "Look at who pushes to this repository; make its tags immutable.",
            )
        return replace(found, reused=False)

    def scan(self, image: Image, progress: Progress) -> ScanReport:
        """Ask for a scan and wait for its findings, at most ten minutes."""
        repository, what = _name(image.repository), f"{image.digest[:19]} could not be scanned"
        self._start_scan(repository, image.digest, what)
        for _ in range(SCAN_LOOKS):
            status, why, report = self._findings(repository, image.digest, what)
            if report is not None:
                progress(f"scan: {_sentence(report.findings)}")
                return report
            if status in ("FAILED", "UNSUPPORTED_IMAGE", "FINDINGS_UNAVAILABLE"):
                raise ProviderError(
                    what, f"ECR's scan ended as {status}: {why or 'no reason given'}",
                    "Look at the image in the ECR console; `image.scan` in defs.yaml says what blocks.",
                )  # fmt: skip
            self._pause(SCAN_PAUSE)
        raise UnavailableError(what, f"the scan is still {status}", "Rerun from the asset `image`.")

    def exists(self, image: Image) -> bool:
        """Whether the registry still has this digest; False as well when the repository is gone."""
        try:
            return self._detail(_name(image.repository), imageDigest=image.digest) is not None
        except NotFoundError:
            return False

    def _detail(self, repository: str, **image_id: str) -> Mapping[str, Any] | None:
        with translated(f"The images of {repository} could not be read"):
            try:
                found = self._ecr.describe_images(repositoryName=repository, imageIds=[image_id])
            except ClientError as error:
                if code_of(error) == "ImageNotFoundException":
                    return None
                if code_of(error) == "RepositoryNotFoundException":
                    raise _no_repository(repository) from None
                raise
        return found["imageDetails"][0] if found["imageDetails"] else None

    def _uri(self, repository: str) -> str:
        with translated(f"The repository {repository} could not be read"):
            try:
                found = self._ecr.describe_repositories(repositoryNames=[repository])
            except ClientError as error:
                if code_of(error) == "RepositoryNotFoundException":
                    raise _no_repository(repository) from None
                raise
        return str(found["repositories"][0]["repositoryUri"])

    def _login(self) -> Login:
        with translated("ECR did not give a login"):
            data = self._ecr.get_authorization_token()["authorizationData"][0]
        user, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
        return Login(data["proxyEndpoint"], user, password)

    def _labels(self, repository: str, digest: str) -> Mapping[str, str]:
        """The labels in the image's own configuration, whose digest the manifest names."""
        what = f"The labels of {digest[:19]} could not be read"
        with translated(what):
            found = self._ecr.batch_get_image(
                repositoryName=repository, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=_MANIFESTS
            )
            if not found["images"]:
                reason = (found.get("failures") or [{}])[0].get("failureReason", "ECR returned no manifest")
                raise ProviderError(what, reason, "Multi-platform images are not supported yet.")
            config = json.loads(found["images"][0]["imageManifest"])["config"]["digest"]
            answer = self._ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=config)
        content = _download(answer["downloadUrl"], what)
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != config:
            raise ProviderError(what, "its configuration is not the one its manifest names", "Push it anew.")
        return json.loads(content).get("config", {}).get("Labels") or {}

    def _start_scan(self, repository: str, digest: str, what: str) -> None:
        with translated(what):
            try:
                self._ecr.start_image_scan(repositoryName=repository, imageId={"imageDigest": digest})
            except ClientError as error:
                if code_of(error) not in _SCANNED:
                    raise

    def _findings(self, repository: str, digest: str, what: str) -> tuple[str, str, ScanReport | None]:
        """The scan's status and its reason; the report once there is one (`ACTIVE`: enhanced scanning)."""
        with translated(what):
            try:
                found = self._ecr.describe_image_scan_findings(
                    repositoryName=repository, imageId={"imageDigest": digest}, maxResults=1
                )
            except ClientError as error:
                if code_of(error) == "ScanNotFoundException":
                    return "PENDING", "", None
                raise
        status = found.get("imageScanStatus", {})
        name, why = status.get("status", "PENDING"), status.get("description", "")
        if name not in ("COMPLETE", "ACTIVE"):
            return name, why, None
        # Without this field nothing was found; without its parent nothing was looked at.
        counts = found.get("imageScanFindings")
        if counts is None:
            return "FAILED", "it has no findings section", None
        return name, why, ScanReport(dict(counts.get("findingSeverityCounts") or {}), "COMPLETE")


def _download(url: str, what: str) -> bytes:
    """The blob; the URL is signed, so it is never repeated in an error."""
    try:
        answer = requests.get(url, timeout=(5, 20))
    except requests.RequestException:
        why = "the registry's download address is not reachable"
        raise UnavailableError(what, why, "Check the network, or retry.") from None
    if answer.status_code >= 500:
        raise UnavailableError(what, f"the registry answered {answer.status_code}", "Retry; it may pass.")
    if answer.status_code != 200:
        raise ProviderError(what, f"the registry answered {answer.status_code}", "Push the image anew.")
    return answer.content


def _no_repository(repository: str) -> DeliveryError:
    return NotFoundError(
        f"The repository {repository} does not exist", "ECR does not know it",
        "Apply the service's registry stack: `delivery bootstrap`.",
    )  # fmt: skip


def _name(uri: str) -> str:
    """The ECR name in a repository's URI."""
    return uri.split("/", 1)[1] if "/" in uri else uri


def _sentence(findings: Mapping[str, int]) -> str:
    counts = ", ".join(f"{count} {severity.lower()}" for severity, count in findings.items() if count)
    return counts or "nothing found"
