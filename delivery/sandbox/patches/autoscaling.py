"""Application Auto Scaling: tags of scalable targets, without which Terraform waits for minutes."""

from __future__ import annotations

import json

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Response


def scalable_target_tags() -> None:
    """ListTagsForResource does not exist in moto; keep the tags RegisterScalableTarget was given."""
    tags: dict[str, dict[str, str]] = {}
    register = Response.register_scalable_target

    def register_scalable_target(self: Response) -> str:
        answer = register(self)
        arn = json.loads(answer).get("ScalableTargetARN")
        if arn and self._get_param("Tags"):
            tags[arn] = self._get_param("Tags")
        return answer

    def list_tags_for_resource(self: Response) -> str:
        return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})

    Response.register_scalable_target = register_scalable_target  # type: ignore[method-assign]
    Response.list_tags_for_resource = list_tags_for_resource  # type: ignore[attr-defined]
