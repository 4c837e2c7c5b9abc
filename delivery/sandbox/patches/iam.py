"""IAM: policies simulated by what would really decide."""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse

from delivery.sandbox.iam import callers
from delivery.sandbox.iam.callers import Backend
from delivery.sandbox.iam.evaluate import Asked, Policies, decide


class IamError(ServiceException):
    """An error of IAM that moto has no class for."""


def simulated_policies(backend: Backend) -> None:
    """SimulatePrincipalPolicy and SimulateCustomPolicy are not in moto: the gate's evaluator answers.

    Source: IAM API reference, SimulatePrincipalPolicy, EvaluationResult.
    """

    def simulate_principal_policy(self: IamResponse) -> ActionResult:
        arn = str(self._get_param("PolicySourceArn"))
        kind, _, path = arn.split(":")[-1].partition("/")
        name = path.rsplit("/", 1)[-1]
        if kind == "role":
            own = callers.of_role(backend("iam").get_role(name), backend)
        elif kind == "user":
            own = callers.of_user(backend("iam").get_user(name), backend)
        else:
            told = f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
            raise IamError("InvalidInput", told)
        added = [json.loads(p) for p in _several(self, "PolicyInputList")]
        return _answer(self, Policies([*own.identity, *added], own.boundary))

    def simulate_custom_policy(self: IamResponse) -> ActionResult:
        bounds = [json.loads(p) for p in _several(self, "PermissionsBoundaryPolicyInputList")]
        given = [json.loads(p) for p in _several(self, "PolicyInputList")]
        return _answer(self, Policies(given, bounds[0] if bounds else None))

    for method in (simulate_principal_policy, simulate_custom_policy):
        setattr(IamResponse, method.__name__, method)


def _several(response: IamResponse, name: str) -> list[Any]:
    return list(response._get_param(name) or [])


def _answer(response: IamResponse, policies: Policies) -> ActionResult:
    """One result per action and resource; what a Condition needs and was not given is told."""
    context = {
        str(entry["ContextKeyName"]).lower(): [str(v) for v in entry["ContextKeyValues"]]
        for entry in _several(response, "ContextEntries")
    }
    results = []
    for action in _several(response, "ActionNames"):
        for resource in _several(response, "ResourceArns") or ["*"]:
            decision = decide(Asked(action, resource, context), policies)
            results.append(
                {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision.name,
                 "MatchedStatements": [], "MissingContextValues": _missing(policies, context)}
            )  # fmt: skip
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _missing(policies: Policies, context: dict[str, list[str]]) -> list[str]:
    """Condition keys of the policies that the simulation was told nothing of."""
    named = {
        key
        for policy in policies.identity
        for statement in callers.statements(policy)
        for keys in (statement.get("Condition") or {}).values()
        for key in keys
    }
    return sorted(k for k in named if k.lower() not in context)
