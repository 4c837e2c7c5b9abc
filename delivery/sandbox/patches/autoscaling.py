"""Application Auto Scaling: targets, policies and their alarms as documented; the scaler acts on them."""

from __future__ import annotations

import json
import uuid
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend as Backend
from moto.applicationautoscaling.models import FakeApplicationAutoscalingPolicy as Policy
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Response
from moto.core.exceptions import JsonRESTError

from delivery.sandbox.autoscaling.policies import PREDEFINED, REQUESTS, policy_alarms, resource_label
from delivery.sandbox.autoscaling.scaler import Scaler
from delivery.sandbox.cloudwatch.evaluator import AlarmEvaluator

_SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
_ROLE = (
    "arn:aws:iam::{}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_ECSService"
)


class ObjectNotFoundException(JsonRESTError):
    """No such scalable target or policy."""

    def __init__(self, message: str) -> None:
        super().__init__("ObjectNotFoundException", message)


def scaled_by(scaler: Scaler, evaluator: AlarmEvaluator) -> None:
    """Application Auto Scaling works."""
    scalable_target_tags()
    checked_targets(scaler)
    deregistered_targets()
    policies_of_targets()
    tracking_alarms(evaluator)
    scaling_activities(scaler)


def scalable_target_tags() -> None:
    """ListTagsForResource, TagResource, UntagResource do not exist in moto; Terraform waits for minutes."""
    tags: dict[str, dict[str, str]] = {}
    register = Response.register_scalable_target

    def register_scalable_target(self: Response) -> str:
        answer = register(self)
        arn = json.loads(answer).get("ScalableTargetARN")
        if arn and self._get_param("Tags"):
            tags[arn] = dict(self._get_param("Tags"))
        return answer

    def known(response: Response) -> str:
        arn, backend = str(response._get_param("ResourceARN")), response.applicationautoscaling_backend
        if arn not in {t.arn for held in backend.targets.values() for t in held.values()}:
            raise JsonRESTError("ResourceNotFoundException", f"Resource {arn} not found")
        return arn

    def list_tags_for_resource(self: Response) -> str:
        return json.dumps({"Tags": tags.get(known(self), {})})

    def tag_resource(self: Response) -> str:
        tags.setdefault(known(self), {}).update(self._get_param("Tags") or {})
        return "{}"

    def untag_resource(self: Response) -> str:
        held = tags.get(known(self), {})
        for key in self._get_param("TagKeys") or ():
            held.pop(key, None)
        return "{}"

    Response.register_scalable_target = register_scalable_target  # type: ignore[method-assign]
    Response.list_tags_for_resource = list_tags_for_resource  # type: ignore[attr-defined]
    Response.tag_resource = tag_resource  # type: ignore[attr-defined]
    Response.untag_resource = untag_resource  # type: ignore[attr-defined]


def checked_targets(scaler: Scaler) -> None:
    """moto takes any bounds, or none, tells no suspended state and no role, and never scales into bounds."""
    register = Backend.register_scalable_target

    def register_scalable_target(self: Backend, *args: Any, **kwargs: Any) -> Any:
        namespace, resource, dimension = args
        known = self.targets.get(dimension or "", {}).get(resource)
        low, high = kwargs["min_capacity"], kwargs["max_capacity"]
        low = known.min_capacity if low is None and known else low
        high = known.max_capacity if high is None and known else high
        if low is None or high is None:
            raise AWSValidationException(
                "MinCapacity and MaxCapacity are required to register a scalable target."
            )
        if low < 0 or high < low:
            raise AWSValidationException("Maximum capacity cannot be less than minimum capacity")
        if namespace == "ecs" and not scaler.exists(resource):
            raise AWSValidationException(f"ECS service doesn't exist: {resource}")
        target: Any = register(self, *args, **kwargs)
        target.suspended_state = {**dict.fromkeys(_SUSPENDED, False), **(target.suspended_state or {})}
        target.role_arn = target.role_arn or _ROLE.format(self.account_id)
        if namespace == "ecs":
            scaler.registered(resource)
        return target

    Backend.register_scalable_target = register_scalable_target  # type: ignore[method-assign]


def deregistered_targets() -> None:
    """moto answers ValidationException, not ObjectNotFoundException, and keeps the target's policies."""
    deregister = Backend.deregister_scalable_target

    def deregister_scalable_target(self: Backend, namespace: str, r_id: str, dimension: str) -> None:
        if r_id not in self.targets.get(dimension, {}):
            raise ObjectNotFoundException(
                f"No scalable target found for {_target(namespace, r_id, dimension)}"
            )
        deregister(self, namespace, r_id, dimension)
        for key, policy in list(self.policies.items()):
            if (policy.service_namespace, policy.resource_id, policy.scalable_dimension) == (
                namespace, r_id, dimension,
            ):  # fmt: skip
                policy.delete_alarms(self.account_id, self.region_name)
                del self.policies[key]

    Backend.deregister_scalable_target = deregister_scalable_target  # type: ignore[method-assign]


def _target(namespace: str, resource: str, dimension: str) -> str:
    return f"service namespace: {namespace}, resource ID: {resource}, scalable dimension: {dimension}"


def policies_of_targets() -> None:
    """moto takes policies of targets nobody registered, gives a policy that is put again another ARN, leaves
    its old alarms behind, and answers ValidationException instead of ObjectNotFoundException."""
    put, delete = Backend.put_scaling_policy, Backend.delete_scaling_policy

    def put_scaling_policy(self: Backend, *args: Any, **kwargs: Any) -> Policy:
        where = kwargs["service_namespace"], kwargs["resource_id"], kwargs["scalable_dimension"]
        if where[1] not in self.targets.get(where[2] or "", {}):
            raise ObjectNotFoundException(f"No scalable target registered for {_target(*where)}")
        old = self.policies.get(Policy.formulate_key(*where, kwargs["policy_name"]))
        kwargs["policy_type"] = kwargs["policy_type"] or (old.policy_type if old else "StepScaling")
        if where[0] == "ecs" and kwargs["policy_type"] == "TargetTrackingScaling":
            _check_tracking(kwargs["policy_body"] or {})
        policy = put(self, *args, **kwargs)
        if old is not None:
            old.delete_alarms(self.account_id, self.region_name)
            again = policy.policy_arn.replace(str(policy._guid), str(old._guid))
            policy.delete_alarms(self.account_id, self.region_name)
            policy._guid, policy.policy_arn, policy.alarms = old._guid, again, []
            policy.create_alarms()
        return policy

    def delete_scaling_policy(self: Backend, *args: Any, **kwargs: Any) -> None:
        try:
            delete(self, *args, **kwargs)
        except AWSValidationException as error:
            raise ObjectNotFoundException(str(error.message)) from error

    Backend.put_scaling_policy = put_scaling_policy  # type: ignore[method-assign]
    Backend.delete_scaling_policy = delete_scaling_policy  # type: ignore[method-assign]


def _check_tracking(config: dict[str, Any]) -> None:
    predefined, own = config.get("PredefinedMetricSpecification"), config.get("CustomizedMetricSpecification")
    if config.get("TargetValue") is None or float(config["TargetValue"]) <= 0:
        raise AWSValidationException("TargetValue must be greater than 0.")
    if bool(predefined) == bool(own):
        raise AWSValidationException(
            "You must specify either a PredefinedMetricSpecification or a CustomizedMetricSpecification."
        )
    kind = (predefined or {}).get("PredefinedMetricType")
    if predefined and kind not in PREDEFINED:
        raise AWSValidationException(
            f"1 validation error detected: Value '{kind}' at 'targetTrackingScalingPolicyConfiguration."
            "predefinedMetricSpecification.predefinedMetricType' failed to satisfy constraint: Member must "
            f"satisfy enum value set: [{', '.join(PREDEFINED)}]"
        )
    if kind == REQUESTS:
        try:
            resource_label(predefined.get("ResourceLabel") or "")  # type: ignore[union-attr]
        except ValueError as error:
            raise AWSValidationException(
                "Resource label must be of the form app/<load-balancer-name>/<load-balancer-id>/targetgroup/"
                "<target-group-name>/<target-group-id>."
            ) from error


def tracking_alarms(evaluator: AlarmEvaluator) -> None:
    """moto's alarms of a target tracking policy have a fixed threshold of 6, whatever its target."""

    def alarms_of_ecs(self: Policy) -> list[Any]:
        config = self.target_tracking_scaling_policy_configuration or {}
        action, ids = f"{self.policy_arn}:createdBy/{uuid.uuid4()}", [str(uuid.uuid4()), str(uuid.uuid4())]
        return [evaluator.put(s) for s in policy_alarms(self.resource_id, action, config, ids)]

    Policy._generate_ecs_alarms = alarms_of_ecs  # type: ignore[method-assign]


def scaling_activities(scaler: Scaler) -> None:
    """DescribeScalingActivities does not exist in moto."""

    def describe_scaling_activities(self: Response) -> str:
        found = list(scaler.of(self._get_param("ResourceId")))
        if self._get_param("ServiceNamespace") != "ecs":
            found = []
        token, size = self._get_param("NextToken"), int(self._get_param("MaxResults") or 50)
        if token is not None and not str(token).isdigit():
            raise JsonRESTError("InvalidNextTokenException", "The next token is invalid.")
        start = int(token or 0)
        shown: dict[str, Any] = {"ScalingActivities": [a.described() for a in found[start : start + size]]}
        if start + size < len(found):
            shown["NextToken"] = str(start + size)
        return json.dumps(shown)

    Response.describe_scaling_activities = describe_scaling_activities  # type: ignore[attr-defined]
