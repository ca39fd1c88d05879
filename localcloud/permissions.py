"""Decides whether a principal's identity policies allow a call, as IAM would.

moto keeps the policies; it evaluates them against the resource ``*`` only, so that the least
privilege of a function's role could not be tested. Evaluated here: Effect, Action and NotAction,
Resource and NotResource where the call names its resource, and Condition on the keys that are known.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from moto.iam.models import Policy, iam_backends

from localcloud.callers import PARTITION, CallerIdentity
from localcloud.resources import resource_of

if TYPE_CHECKING:
    from localcloud.calls import ApiRequest

# Allowed to everybody: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity"})

# IAM's name for the call, where it is not the operation's.
IAM_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "elbv2:SetSecurityGroups": "elasticloadbalancing:SetSecurityGroups",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sns:PublishBatch": "sns:Publish",
    "lambda:TagResource": "lambda:TagResource",
}
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
IN_TRANSACTIONS = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}


def action_of(call: ApiRequest) -> str:
    """The IAM action that a call needs, such as ``ec2:DescribeSecurityGroupRules``."""
    named = f"{call.service}:{call.operation}"
    return IAM_ACTIONS.get(named, named)


def actions_of(call: ApiRequest) -> tuple[str, ...]:
    """Every IAM action that a call needs: a transaction has one for each kind of thing in it."""
    if call.operation != "TransactWriteItems":
        return (action_of(call),)
    return tuple(sorted({IN_TRANSACTIONS[kind] for item in call.params["TransactItems"] for kind in item}))


def is_allowed(call: ApiRequest, caller: CallerIdentity) -> bool:
    """Whether the caller's policies allow the call. Root, and a principal that IAM does not know, may do anything."""
    actions = actions_of(call)
    policies = policies_of(caller)
    if policies is None or set(actions) <= ALWAYS_ALLOWED:
        return True
    context = {"aws:RequestedRegion": call.region, "aws:PrincipalArn": caller.arn}
    context |= {"cloudwatch:namespace": str(call.params.get("Namespace", ""))} if call.service == "cloudwatch" else {}
    resource = resource_of(call, caller.account_id)
    for action in actions:
        verdicts = [_verdict(statement, action, resource, context) for statement in _statements(policies)]
        if "Deny" in verdicts or "Allow" not in verdicts:
            return False
    return True


def role_may(role_arn: str, action: str, resource: str) -> bool:
    """Whether a role's identity policies allow a service that acts with it something; a role that is gone may nothing.

    Its own conditions are taken to hold.
    """
    roles = iam_backends[role_arn.split(":")[4]][PARTITION].roles.values()
    found = next((role for role in roles if role.arn == role_arn), None)
    verdicts = [_verdict(item, action, resource, {}) for item in _statements(_policies_of_role(found))] if found else []
    return "Deny" not in verdicts and "Allow" in verdicts


def policies_of(caller: CallerIdentity) -> list[dict[str, Any]] | None:
    """The identity policies of a user or of a session's role; None where IAM does not hold the principal."""
    iam = iam_backends[caller.account_id][PARTITION]
    if caller.type == "IAMUser" and caller.user_name in iam.users:
        user = iam.users[caller.user_name]
        inline = [json.loads(document) for document in user.policies.values()]
        groups = iam.get_groups_for_user(user.name)
        inline += [json.loads(document) for group in groups for document in group.policies.values()]
        managed = [*user.managed_policies.values(), *(p for g in groups for p in g.managed_policies.values())]
        return inline + [_document(policy) for policy in managed]
    if caller.type == "AssumedRole":
        role = next((role for role in iam.roles.values() if role.arn == caller.role_arn), None)
        if role is not None:
            return _policies_of_role(role)
    return None


def _policies_of_role(role: Any) -> list[dict[str, Any]]:
    # Those that came with a stack are not text.
    inline = [json.loads(item) if isinstance(item, str) else item for item in role.policies.values()]
    return inline + [_document(policy) for policy in role.managed_policies.values()]


def _document(policy: Policy) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(next(v.document for v in policy.versions if v.is_default))
    return document


def _statements(policies: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for policy in policies:
        statements = policy.get("Statement", [])
        yield from [statements] if isinstance(statements, Mapping) else statements


def _verdict(statement: Mapping[str, Any], action: str, resource: str | None, context: Mapping[str, str]) -> str | None:
    if not _concerns_action(statement, action) or not _concerns_resource(statement, resource):
        return None
    if not all(_condition_holds(*item, context=context) for item in _conditions(statement)):
        return None
    return str(statement.get("Effect"))


def _concerns_action(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not _any_matches(statement["NotAction"], action.lower(), str.lower)
    return _any_matches(statement.get("Action", []), action.lower(), str.lower)


def _concerns_resource(statement: Mapping[str, Any], resource: str | None) -> bool:
    if "NotResource" in statement:
        return resource is None or not _any_matches(statement["NotResource"], resource, str)
    patterns = statement.get("Resource", "*")
    if resource is None:  # the call has no resource of its own, or one that is not known here
        return True
    return _any_matches(patterns, resource, str)


def _any_matches(patterns: str | list[str], value: str, fold: Any) -> bool:
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatchcase(value, fold(pattern).replace("[", "[[]")) for pattern in listed)


def _conditions(statement: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, expected in keys.items():
            yield operator, key, expected


def _condition_holds(operator: str, key: str, expected: Any, *, context: Mapping[str, str]) -> bool:
    """Whether one condition holds; one on a key that is not known here is taken to hold."""
    if key not in context:
        return True
    values = [str(value) for value in (expected if isinstance(expected, list) else [expected])]
    matched = any(
        fnmatchcase(context[key], value) if "Like" in operator or "Arn" in operator else context[key] == value
        for value in values
    )
    return not matched if "Not" in operator else matched
