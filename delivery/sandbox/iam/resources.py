"""Which resources a call is about, as IAM sees them. Pure, but for what moto is asked by `Known`.

Source: service authorization reference, the table "Actions defined by …" of each service. Calls the table
gives no resource, and services that are not here, are about "*".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from delivery.sandbox.iam.conditions import listed
from delivery.sandbox.iam.evaluate import Asked
from delivery.sandbox.iam.requests import Call


class Known(Protocol):
    """What must be looked up."""

    account: str

    def key(self, identifier: str) -> tuple[str, list[str]]:
        """A KMS key's ARN and its aliases, by id, alias or ARN."""

    def secret(self, identifier: str) -> str:
        """A secret's ARN, by name or ARN."""


def asked_of(call: Call, known: Known, context: Mapping[str, list[str]]) -> list[Asked]:
    """Every action and resource that must be allowed for the call to be done."""
    more, about = dict(context), _about(call, known)
    more.update(_context(call, known))
    main = [Asked(call.action, first, more, tuple(also)) for first, *also in about or [["*"]]]
    return main + _implied(call, known, more)


def _about(call: Call, known: Known) -> list[list[str]]:
    read = _SERVICES.get(call.service)
    return [[a] if isinstance(a, str) else a for a in read(call, known)] if read else []


def _arn(call: Call, known: Known, rest: str, service: str = "") -> str:
    return f"arn:aws:{service or call.service}:{call.region}:{known.account}:{rest}"


def _cluster(call: Call, known: Known) -> str:
    named = str(call.params.get("cluster") or "default")
    return named if named.startswith("arn:") else _arn(call, known, f"cluster/{named}")


def _ecs(call: Call, known: Known) -> list[Any]:
    params, cluster = call.params, _cluster(call, known).rsplit("/", 1)[-1]

    def within(kind: str, names: list[Any]) -> list[str]:
        return [
            str(n) if str(n).startswith("arn:") else _arn(call, known, f"{kind}/{cluster}/{n}") for n in names
        ]

    if call.operation == "DescribeServices":
        return within("service", params.get("services") or [])
    if call.operation in ("UpdateService", "DeleteService", "CreateService"):
        return within("service", [params.get("service") or params.get("serviceName")])
    if call.operation in ("DescribeTasks", "StopTask"):
        return within("task", params.get("tasks") or [params.get("task")])
    if call.operation in ("RunTask", "StartTask"):
        named = str(params.get("taskDefinition"))
        return [named if named.startswith("arn:") else _arn(call, known, f"task-definition/{named}")]
    if call.operation in (
        "DescribeClusters",
        "DeleteCluster",
        "UpdateCluster",
        "PutClusterCapacityProviders",
    ):
        names = params.get("clusters") or [params.get("cluster") or "default"]
        return [n if n.startswith("arn:") else _arn(call, known, f"cluster/{n}") for n in names]
    return [params["resourceArn"]] if params.get("resourceArn") else []


def _elb(call: Call, known: Known) -> list[Any]:
    """Describing cannot be scoped; everything else is about the ARN it names."""
    if call.operation.startswith("Describe"):
        return []
    for name in ("RuleArn", "ListenerArn", "LoadBalancerArn", "TargetGroupArn", "ResourceArns"):
        if call.params.get(name):
            return listed(call.params[name])
    return [r["RuleArn"] for r in call.params.get("RulePriorities") or ()]


def _cloudwatch(call: Call, known: Known) -> list[Any]:
    names = call.params.get("AlarmNames") or listed(call.params.get("AlarmName") or [])
    return [_arn(call, known, f"alarm:{n}") for n in names]


def _ecr(call: Call, known: Known) -> list[Any]:
    params = call.params
    names = params.get("repositoryNames") or listed(params.get("repositoryName") or [])
    return [_arn(call, known, f"repository/{n}") for n in names] or listed(params.get("resourceArn") or [])


def _s3(call: Call, known: Known) -> list[Any]:
    bucket, key = call.params.get("Bucket"), call.params.get("Key")
    if not bucket:
        return []
    return [f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"]


def _logs(call: Call, known: Known) -> list[Any]:
    """A group's ARN is written with `:*` at its end, or without."""
    params = call.params
    if call.operation == "DescribeLogGroups":
        return [_arn(call, known, "log-group:*")]
    arn = params.get("logGroupIdentifier") or params.get("resourceArn") or ""
    if not arn.startswith("arn:"):
        arn = _arn(call, known, f"log-group:{params.get('logGroupName') or arn}")
    arn = arn.removesuffix(":*")
    stream = params.get("logStreamName")
    if stream and call.operation in ("GetLogEvents", "PutLogEvents", "CreateLogStream", "DeleteLogStream"):
        return [f"{arn}:log-stream:{stream}"]
    return [[arn, f"{arn}:*"]] if arn.rsplit(":", 1)[-1] not in ("", "None") else []


def _route53(call: Call, known: Known) -> list[Any]:
    if call.operation == "GetChange":
        return [f"arn:aws:route53:::change/{str(call.params.get('Id')).rsplit('/', 1)[-1]}"]
    zone = call.params.get("HostedZoneId")
    if zone is None and call.operation in ("GetHostedZone", "DeleteHostedZone", "UpdateHostedZoneComment"):
        zone = call.params.get("Id")
    return [f"arn:aws:route53:::hostedzone/{str(zone).rsplit('/', 1)[-1]}"] if zone else []


def _sns(call: Call, known: Known) -> list[Any]:
    named = call.params.get("TopicArn") or call.params.get("TargetArn") or call.params.get("ResourceArn")
    return (
        [named] if named else [_arn(call, known, str(call.params["Name"]))] if call.params.get("Name") else []
    )


def _sqs(call: Call, known: Known) -> list[Any]:
    name = call.params.get("QueueName") or str(call.params.get("QueueUrl") or "").rsplit("/", 1)[-1]
    return [_arn(call, known, name)] if name else []


def _kms(call: Call, known: Known) -> list[Any]:
    named = call.params.get("KeyId") or call.params.get("TargetKeyId")
    return [known.key(str(named))[0]] if named else []


def _ssm(call: Call, known: Known) -> list[Any]:
    named = call.params.get("Names") or call.params.get("Name") or call.params.get("Path") or []
    return [_arn(call, known, f"parameter/{str(n).lstrip('/')}") for n in listed(named)]


def _secrets(call: Call, known: Known) -> list[Any]:
    named = call.params.get("SecretId")
    return [known.secret(str(named))] if named else []


def _iam(call: Call, known: Known) -> list[Any]:
    kinds = {"RoleName": "role", "UserName": "user", "GroupName": "group"}
    for name, kind in kinds.items():
        if call.params.get(name):
            return [f"arn:aws:iam::{known.account}:{kind}/{call.params[name]}"]
    named = call.params.get("PolicyArn") or call.params.get("PolicySourceArn")
    return [named] if named else []


_SERVICES: dict[str, Callable[[Call, Known], list[Any]]] = {
    "ecs": _ecs, "elasticloadbalancing": _elb, "cloudwatch": _cloudwatch, "ecr": _ecr, "s3": _s3,
    "logs": _logs, "route53": _route53, "sns": _sns, "sqs": _sqs, "kms": _kms, "ssm": _ssm,
    "secretsmanager": _secrets, "iam": _iam,
    "sts": lambda call, known: listed(call.params.get("RoleArn") or []),
}  # fmt: skip


def _context(call: Call, known: Known) -> dict[str, list[str]]:
    """The service's own condition keys of this call, and the tags it names."""
    params = call.params
    tags = params.get("tags") or params.get("Tags") or []
    pairs = dict(tags) if isinstance(tags, dict) else dict(map(_pair, tags))
    found = {f"aws:requesttag/{k.lower()}": [str(v)] for k, v in pairs.items()}
    if pairs:
        found["aws:tagkeys"] = list(pairs)
    if call.service == "ecs":
        found["ecs:cluster"] = [_cluster(call, known)]
    if call.service == "kms" and params.get("KeyId"):
        found["kms:resourcealiases"] = known.key(str(params["KeyId"]))[1]
        if str(params["KeyId"]).startswith("alias/"):
            found["kms:requestalias"] = [str(params["KeyId"])]
    if call.service == "s3" and params.get("prefix") is not None:
        found["s3:prefix"] = [str(params["prefix"])]
    if call.service == "sts":
        found |= {
            f"sts:{n.lower()}": [str(params[n])] for n in ("ExternalId", "RoleSessionName") if params.get(n)
        }
    if call.operation == "ChangeResourceRecordSets":
        changes = (params.get("ChangeBatch") or {}).get("Changes") or []
        sets = [c["ResourceRecordSet"] for c in changes]
        prefix = "route53:changeresourcerecordsets"
        found[f"{prefix}normalizedrecordnames"] = [str(s["Name"]).rstrip(".").lower() for s in sets]
        found[f"{prefix}recordtypes"] = [str(s["Type"]) for s in sets]
        found[f"{prefix}actions"] = [str(c["Action"]) for c in changes]
    return found


def _pair(tag: Mapping[str, Any]) -> tuple[str, str]:
    return str(tag.get("key", tag.get("Key"))), str(tag.get("value", tag.get("Value", "")))


def _implied(call: Call, known: Known, context: Mapping[str, list[str]]) -> list[Asked]:
    """What else a call needs: roles it hands to ECS, tags it puts on what it makes, the source of a copy."""
    implied = []
    if call.service == "ecs" and call.operation in ("RegisterTaskDefinition", "RunTask", "CreateService"):
        given = {**(call.params.get("overrides") or {}), **call.params}
        passed = {**context, "iam:passedtoservice": ["ecs-tasks.amazonaws.com"]}
        roles = [given[n] for n in ("taskRoleArn", "executionRoleArn") if given.get(n)]
        implied += [Asked("iam:PassRole", str(role), passed) for role in roles]
        if call.params.get("tags"):
            implied.append(Asked("ecs:TagResource", "*", context))
    source = str(call.params.get("x-amz-copy-source") or "").lstrip("/").split("?")[0]
    if call.service == "s3" and source:
        implied.append(Asked("s3:GetObject", f"arn:aws:s3:::{source}", context))
    return implied
