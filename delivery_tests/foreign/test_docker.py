"""The Docker client logs in with ECR's password, pushes an image and pulls it again by digest.

Amazon ECR user guide: "Pushing a Docker image to an Amazon ECR private repository".
"""

from __future__ import annotations

import json

import pytest

from delivery_tests.conftest import RunningSandbox
from delivery_tests.foreign.conftest import Shell

pytestmark = pytest.mark.sandbox


def test_an_image_is_pushed_and_pulled(shell: Shell, sandbox: RunningSandbox, app_image: str) -> None:
    """`ecr get-login-password | docker login`, `docker push`, and the digest is ECR's and `docker pull`'s."""
    registry = sandbox.endpoints.registry
    repository = shell.aws("ecr", "create-repository", "--repository-name", "team/web")["repository"]
    assert repository["repositoryUri"] == f"{registry}/team/web"
    password = shell.run("aws", "ecr", "get-login-password")
    said = shell.run("docker", "login", "--username", "AWS", "--password-stdin", registry, given=password)
    assert "Login Succeeded" in said
    name = f"{registry}/team/web:1.0"
    shell.run("docker", "tag", app_image, name)
    shell.run("docker", "push", "--quiet", name)
    (image,) = shell.aws("ecr", "describe-images", "--repository-name", "team/web")["imageDetails"]
    assert image["imageTags"] == ["1.0"]
    shell.run("docker", "rmi", name)
    pulled = f"{registry}/team/web@{image['imageDigest']}"
    shell.run("docker", "pull", "--quiet", pulled)
    digests = json.loads(shell.run("docker", "inspect", "--format", "{{json .RepoDigests}}", pulled))
    shell.run("docker", "rmi", pulled)
    assert pulled in digests
    shell.run("docker", "logout", registry)


def test_a_tag_that_is_taken_is_refused(shell: Shell, sandbox: RunningSandbox, app_image: str) -> None:
    """With `imageTagMutability` IMMUTABLE a second push of another image under the tag is refused."""
    registry = sandbox.endpoints.registry
    shell.aws(
        "ecr", "create-repository", "--repository-name", "team/fixed", "--image-tag-mutability", "IMMUTABLE"
    )
    name = f"{registry}/team/fixed:1.0"
    shell.run("docker", "login", "-u", "AWS", "--password-stdin", registry,
              given=shell.run("aws", "ecr", "get-login-password"))  # fmt: skip
    shell.run("docker", "tag", app_image, name)
    shell.run("docker", "push", "--quiet", name)
    other = "FROM " + app_image + "\nLABEL other=yes\n"
    shell.run("docker", "build", "--quiet", "-t", name, "-", given=other)
    said = shell.run("docker", "push", name, accept=1)
    shell.run("docker", "rmi", name)
    assert "immutable" in said
