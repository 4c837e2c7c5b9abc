"""Previews of lifecycle policies."""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.exceptions import LifecyclePolicyNotFoundException
from moto.ecr.models import Repository
from moto.ecr.policy_validation import EcrLifecyclePolicyValidator
from moto.ecr.responses import ECRResponse

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecr.asked import EcrError, page_of, repository_of
from delivery.sandbox.ecr.lifecycle import Held, expired


def lifecycle_previews() -> None:
    """moto has no StartLifecyclePolicyPreview; whoever writes a policy wants to see what it would take.

    Source: ECR API reference, StartLifecyclePolicyPreview, GetLifecyclePolicyPreview.
    """

    def start_lifecycle_policy_preview(self: ECRResponse) -> ActionResult:
        repository = repository_of(self)
        text = self._get_param("lifecyclePolicyText") or _policy(repository)
        EcrLifecyclePolicyValidator(text).validate()
        repository.preview = text  # type: ignore[attr-defined]
        return ActionResult(_previewed(repository, "IN_PROGRESS"))

    def get_lifecycle_policy_preview(self: ECRResponse) -> ActionResult:
        repository = repository_of(self)
        if getattr(repository, "preview", None) is None:
            told = f"There is no lifecycle policy preview of the repository '{repository.name}'"
            raise EcrError("LifecyclePolicyPreviewNotFoundException", told)
        kept = [Held(i.image_digest, tuple(i.image_tags), i.image_pushed_at) for i in repository.images]
        held = {i.digest: i for i in kept}
        rules = expired(json.loads(repository.preview), kept, CLOCK.now())  # type: ignore[attr-defined]
        rows = [
            {"imageDigest": d, "imageTags": list(held[d].tags), "imagePushedAt": held[d].pushed,
             "action": {"type": "EXPIRE"}, "appliedRulePriority": rule} for d, rule in rules.items()
        ]  # fmt: skip
        page, following = page_of(self, rows)
        summary = {"expiringImageTotalCount": len(rows)}
        done = {**_previewed(repository, "COMPLETE"), "previewResults": page, **following}
        return ActionResult({**done, "summary": summary})

    for method in (start_lifecycle_policy_preview, get_lifecycle_policy_preview):
        setattr(ECRResponse, method.__name__, method)


def _policy(repository: Repository) -> str:
    if not repository.lifecycle_policy:
        raise LifecyclePolicyNotFoundException(repository.name, repository.registry_id)
    return repository.lifecycle_policy


def _previewed(repository: Repository, status: str) -> dict[str, Any]:
    return {
        "registryId": repository.registry_id, "repositoryName": repository.name,
        "lifecyclePolicyText": repository.preview, "status": status,  # type: ignore[attr-defined]
    }  # fmt: skip
