"""ELBv2's attributes, target groups' numbers, tags, and lists in pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import (
    DuplicateTagKeysError,
    DuplicateTargetGroupName,
    ListenerNotFoundError,
    LoadBalancerNotFoundError,
    TargetGroupNotFoundError,
    TooManyTagsError,
    ValidationError,
)  # fmt: skip
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from delivery.sandbox.elb.settings import (
    BALANCER_ATTRIBUTES,
    GROUP_ATTRIBUTES,
    check_attributes,
    check_numbers,
)  # fmt: skip

PAGE, TAGS = 400, 50
_SAME = (
    "protocol", "protocol_version", "port", "vpc_id", "target_type", "matcher", "health_check_protocol",
    "health_check_port", "health_check_path", "health_check_interval_seconds", "health_check_enabled",
    "health_check_timeout_seconds", "healthy_threshold_count", "unhealthy_threshold_count",
)  # fmt: skip


def checked_attributes() -> None:
    """Attributes have known names and values in range, and Modify… answers with all of them.

    moto takes any name for a target group, refuses its deregistration delay of 3600, takes any value for a
    load balancer, and answers with what was asked.
    """
    group_attributes, balancer_attributes = (
        ELBv2Backend.modify_target_group_attributes, ELBv2Backend.modify_load_balancer_attributes,
    )  # fmt: skip
    delay = "deregistration_delay.timeout_seconds"

    def modify_target_group_attributes(
        self: ELBv2Backend, target_group_arn: str, attributes: dict[str, Any]
    ) -> None:
        check_attributes("Target group", attributes, GROUP_ATTRIBUTES)
        group_attributes(self, target_group_arn, {k: v for k, v in attributes.items() if k != delay})
        self.target_groups[target_group_arn].attributes.update(attributes)

    def modify_load_balancer_attributes(
        self: ELBv2Backend, arn: str, attrs: dict[str, Any]
    ) -> dict[str, Any]:
        if arn in self.load_balancers:
            known = {key: BALANCER_ATTRIBUTES.get(key) for key in FakeLoadBalancer.VALID_ATTRS}
            check_attributes("Load balancer", attrs, known)
        return balancer_attributes(self, arn, attrs)

    def answer(self: ELBV2Response) -> ActionResult:
        arn = self._get_param("TargetGroupArn")
        asked = {a["Key"]: a["Value"] for a in self._get_param("Attributes", [])}
        self.elbv2_backend.modify_target_group_attributes(arn, asked)
        return ActionResult({"Attributes": self.elbv2_backend.target_groups[arn].attributes})

    ELBv2Backend.modify_target_group_attributes = modify_target_group_attributes  # type: ignore[method-assign]
    ELBv2Backend.modify_load_balancer_attributes = modify_load_balancer_attributes  # type: ignore[method-assign]
    ELBV2Response.modify_target_group_attributes = answer  # type: ignore[method-assign]


def checked_health_checks() -> None:
    """A group's intervals, timeouts, thresholds and matcher are within AWS's ranges; moto takes any number.

    CreateTargetGroup with the very settings of the group of that name answers with that group.
    """
    create, modify = ELBv2Backend.create_target_group, ELBv2Backend.modify_target_group

    def create_target_group(self: ELBv2Backend, name: str, **kwargs: Any) -> FakeTargetGroup:
        check_numbers(_asked(kwargs, "healthcheck"), kwargs.get("protocol"))
        known = next((g for g in self.target_groups.values() if g.name == name), None)
        if known is None:
            return create(self, name, **kwargs)
        held = dict(self.target_groups)
        del self.target_groups[known.arn]
        try:
            twin = create(self, name, **{**kwargs, "tags": None})
        finally:
            self.target_groups.clear()
            self.target_groups.update(held)
        if any(str(getattr(known, f, None)) != str(getattr(twin, f, None)) for f in _SAME):
            raise DuplicateTargetGroupName()
        return known

    def modify_target_group(self: ELBv2Backend, arn: str, *args: Any, **kwargs: Any) -> FakeTargetGroup:
        group = self.target_groups.get(arn)
        if group is not None:
            names = (
                "protocol", "port", "path", "interval_seconds", "timeout_seconds", "healthy_threshold_count",
                "unhealthy_threshold_count", "matcher",
            )  # fmt: skip
            asked = {n: v for n, v in zip(names, args, strict=False) if v is not None}
            asked.setdefault("interval_seconds", group.health_check_interval_seconds)
            asked.setdefault("timeout_seconds", group.health_check_timeout_seconds)
            check_numbers(asked, group.protocol)
        return modify(self, arn, *args, **kwargs)

    ELBv2Backend.create_target_group = create_target_group  # type: ignore[method-assign]
    ELBv2Backend.modify_target_group = modify_target_group  # type: ignore[method-assign]


def _asked(kwargs: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    asked = {k.removeprefix(f"{prefix}_"): v for k, v in kwargs.items()}
    matcher = (asked.pop("matcher", None) or {}).get("HttpCode")
    own = ("interval_seconds", "timeout_seconds", "healthy_threshold_count", "unhealthy_threshold_count")
    return {
        **{k: asked[k] for k in own if asked.get(k) is not None},
        **({"matcher": matcher} if matcher else {}),
    }


def named_resources() -> None:
    """A name or ARN that is not there is told, each; moto answers with another one's or leaves it out."""

    def describe_load_balancers(self: ELBv2Backend, arns: Any, names: Any) -> list[FakeLoadBalancer]:
        found = list(self.load_balancers.values())
        for balancer in found:
            balancer.activate()
        known = {lb.arn: lb for lb in found} | {lb.name: lb for lb in found}
        asked = [*(arns or ()), *(names or ())]
        if any(one not in known for one in asked):
            raise LoadBalancerNotFoundError()
        return list({known[one].arn: known[one] for one in asked}.values()) if asked else found

    def describe_listeners(self: ELBv2Backend, load_balancer_arn: Any, listener_arns: Any) -> list[Any]:
        if load_balancer_arn:
            if load_balancer_arn not in self.load_balancers:
                raise LoadBalancerNotFoundError()
            return list(self.load_balancers[load_balancer_arn].listeners.values())
        known = {x.arn: x for lb in self.load_balancers.values() for x in lb.listeners.values()}
        if any(arn not in known for arn in listener_arns):
            raise ListenerNotFoundError()
        return [known[arn] for arn in listener_arns]

    for patched in (describe_load_balancers, describe_listeners):
        setattr(ELBv2Backend, patched.__name__, patched)


def known_tags() -> None:
    """DescribeTags and AddTags know their resources, there may be 50 tags, a key comes once; at moto ten."""

    def describe_tags(self: ELBv2Backend, resource_arns: list[str]) -> dict[str, dict[str, str]]:
        for arn in resource_arns:
            self._get_resource_by_arn(arn)
        return {arn: self.tagging_service.get_tag_dict_for_resource(arn) for arn in resource_arns}

    def add_tags(self: ELBv2Backend, resource_arns: list[str], tags: list[dict[str, str]]) -> None:
        keys = [tag["Key"] for tag in tags]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise DuplicateTagKeysError(twice[0])
        for arn in resource_arns:
            self._get_resource_by_arn(arn)
            if len({*self.tagging_service.get_tag_dict_for_resource(arn), *keys}) > TAGS:
                raise TooManyTagsError()
        for arn in resource_arns:
            self.tagging_service.tag_resource(arn, tags)

    ELBv2Backend.describe_tags = describe_tags  # type: ignore[method-assign]
    ELBv2Backend.add_tags = add_tags  # type: ignore[method-assign]


def lists_in_pages() -> None:
    """DescribeTargetGroups and DescribeListeners have PageSize and Marker as the others; moto gives all.

    A marker nobody gave out is a ValidationError, at moto an internal error.
    """
    for operation, name in (
        ("describe_load_balancers", "LoadBalancers"), ("describe_listeners", "Listeners"),
        ("describe_rules", "Rules"), ("describe_target_groups", "TargetGroups"),
    ):  # fmt: skip
        setattr(ELBV2Response, operation, _paged(operation, name))


def _paged(operation: str, name: str) -> Any:
    def described(self: ELBV2Response) -> ActionResult:
        ask = self._get_param
        elb = self.elbv2_backend
        if operation == "describe_load_balancers":
            found: list[Any] = list(
                elb.describe_load_balancers(ask("LoadBalancerArns", []), ask("Names", []))
            )
        elif operation == "describe_listeners":
            if not ask("LoadBalancerArn") and not ask("ListenerArns", []):
                raise ValidationError("You must specify either listener ARNs or a load balancer ARN")
            found = list(elb.describe_listeners(ask("LoadBalancerArn"), ask("ListenerArns", [])))
        elif operation == "describe_rules":
            found = list(elb.describe_rules(ask("ListenerArn"), ask("RuleArns")))
        else:
            balancer = ask("LoadBalancerArn")
            if balancer and balancer not in elb.load_balancers:
                raise LoadBalancerNotFoundError()
            found = list(elb.describe_target_groups(balancer, ask("TargetGroupArns", []), ask("Names", [])))
        page, marker = _page(found, ask("Marker"), self._get_int_param("PageSize", PAGE))
        return ActionResult({name: page, "NextMarker": marker})

    return described


def _page(found: list[Any], marker: str | None, size: int) -> tuple[list[Any], str | None]:
    if not 1 <= size <= PAGE:
        raise ValidationError(
            f"1 validation error detected: Value '{size}' at 'pageSize' failed to satisfy constraint: Member "
            f"must have value between 1 and {PAGE}"
        )
    arns = [one.arn for one in found]
    if marker and marker not in arns:
        raise ValidationError(f"Invalid marker '{marker}'")
    start = arns.index(marker) + 1 if marker else 0
    page = found[start : start + size]
    return page, page[-1].arn if page and len(found) > start + size else None


def groups_of_idle_balancers() -> None:
    """DescribeTargetGroups of a load balancer without any is empty; moto says TargetGroupNotFound."""
    describe = ELBv2Backend.describe_target_groups

    def describe_target_groups(self: ELBv2Backend, load_balancer_arn: Any, arns: Any, names: Any) -> Any:
        try:
            return describe(self, load_balancer_arn, arns, names)
        except TargetGroupNotFoundError:
            if load_balancer_arn:
                return []
            raise

    ELBv2Backend.describe_target_groups = describe_target_groups  # type: ignore[method-assign,assignment]
