"""Whether a resource policy lets CloudWatch do something: Allow and Deny, principals, actions, conditions.

Only what CloudWatch's own call carries is judged: it comes from the service principal
``cloudwatch.amazonaws.com``, over TLS, for one alarm of one account. A condition on anything else is
unknown. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.alarm_path.snapshot.cloudwatch_alarms import parse_time
from chalicelib.alarm_path.verdicts import Status, all_of, any_of, opposite, status_of
from chalicelib.aws.arns import arn_matches, matches, parse_arn

CLOUDWATCH = "cloudwatch.amazonaws.com"

# Keys that the call of a service for itself does not carry: of callers with an identity in an account, its tags or its
# multi-factor authentication, and of requests through a VPC endpoint.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
_ABSENT = frozenset(
    (
        *("aws:principalorgid", "aws:principalorgpaths", "aws:principalarn", "aws:principalaccount", "aws:username"),
        *("aws:multifactorauthage", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast"),
        *("aws:sourcevpce", "aws:sourcevpc", "aws:sourcevpcarn", "aws:vpcsourceip"),
        *("aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths"),
        *("sns:protocol", "sns:endpoint"),
    )
)
_PRINCIPAL_TAG = "aws:principaltag/"


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """A call that an AWS service makes for a resource of an account; ``at`` is when, None where that is not known."""

    service: str
    action: str
    resource: str
    account_id: str
    source_arn: str
    at: datetime | None = None

    def context(self, key: str) -> tuple[str | None, ...]:
        """What the call may carry of a condition key, None for nothing; empty where that is not known."""
        key, resource = key.lower(), parse_arn(self.resource)
        known: dict[str, tuple[str | None, ...]] = {
            "aws:sourceaccount": (self.account_id,),
            # SNS's own, older name: https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
            "aws:sourceowner": (self.account_id,),
            "aws:sourcearn": (self.source_arn,),
            "aws:securetransport": ("true",),
            "aws:principalisawsservice": ("true",),
            "aws:principalservicename": (self.service,),
            # Whether it is there with temporary credentials alone; a service has no device.
            "aws:multifactorauthpresent": (None, "false"),
            "aws:requestedregion": (resource.region,) if resource and resource.region else (),
            "aws:resourceaccount": (resource.account,) if resource and resource.account else (),
            "aws:currenttime": (self.at.isoformat(),) if self.at else (),
            "aws:epochtime": (self.at.isoformat(),) if self.at else (),
        }
        absent = key in _ABSENT or key.startswith(_PRINCIPAL_TAG)
        return (None,) if absent else known.get(key, ())


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """Whether a policy allows a call, and the sentence's end that says why."""

    status: Status
    why: str


def allows(policy: object, call: ServiceCall) -> PolicyAnswer:
    """What a resource policy says to the call; without an Allow it is denied."""
    statements = _statements(policy)
    if statements is None:
        return PolicyAnswer(Status.UNKNOWN, "the policy is not a JSON policy document")
    denied = [(_applies(item, call), item) for item in statements if item.get("Effect") == "Deny"]
    for answer, item in denied:
        if answer is Status.PASS:
            return PolicyAnswer(Status.FAIL, f"statement {_name(item)} denies {call.action} to {call.service}")
    allowed = any_of(_applies(item, call) for item in statements if item.get("Effect") == "Allow")
    if allowed is Status.FAIL:
        return PolicyAnswer(Status.FAIL, _why_not_allowed(statements, call))
    doubts = [item for answer, item in denied if answer is Status.UNKNOWN]
    if allowed is Status.UNKNOWN:
        doubts += [item for item in statements if _applies(item, call) is Status.UNKNOWN]
    if doubts:
        return PolicyAnswer(
            Status.UNKNOWN, f"statement {_name(doubts[0])} has a principal or a condition that cannot be judged here"
        )
    return PolicyAnswer(Status.PASS, f"the policy allows {call.action} to {call.service}")


def _why_not_allowed(statements: Iterable[Mapping[str, Any]], call: ServiceCall) -> str:
    for item in statements:
        principal = all_of([_principal(item, call), _action(item, call), _resource(item, call)])
        if item.get("Effect") == "Allow" and principal is Status.PASS:
            keys = ", ".join(sorted({key for keys in _conditions(item).values() for key in keys}))
            return (
                f"statement {_name(item)} allows it only on a condition on {keys} that {call.source_arn} does not meet"
            )
    return f"no statement allows {call.action} to {call.service}"


def _statements(policy: object) -> list[Mapping[str, Any]] | None:
    if not isinstance(policy, Mapping):
        return None
    found = policy.get("Statement", [])
    items = [found] if isinstance(found, Mapping) else found
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        return None
    return items


def _name(statement: Mapping[str, Any]) -> str:
    return str(statement.get("Sid") or "without a Sid")


def _applies(statement: Mapping[str, Any], call: ServiceCall) -> Status:
    return all_of(
        [_principal(statement, call), _action(statement, call), _resource(statement, call), _condition(statement, call)]
    )


def _principal(statement: Mapping[str, Any], call: ServiceCall) -> Status:
    if "NotPrincipal" in statement:
        return opposite(_names_service(statement["NotPrincipal"], call))
    return _names_service(statement.get("Principal"), call)


def _names_service(principal: object, call: ServiceCall) -> Status:
    if principal == "*":
        return Status.PASS
    if not isinstance(principal, Mapping):
        return Status.FAIL
    services = _texts(principal.get("Service"))
    if "*" in _texts(principal.get("AWS")) or call.service in services:
        return Status.PASS
    # In China the names of some services end so; whether this one's may is not documented.
    other_name = call.source_arn.startswith("arn:aws-cn:") and f"{call.service}.cn" in services
    return Status.UNKNOWN if other_name else Status.FAIL


def _action(statement: Mapping[str, Any], call: ServiceCall) -> Status:
    if "NotAction" in statement:
        return status_of(not _any_match(statement["NotAction"], call.action, ignore_case=True))
    return status_of(_any_match(statement.get("Action"), call.action, ignore_case=True))


def _resource(statement: Mapping[str, Any], call: ServiceCall) -> Status:
    if "NotResource" in statement:
        return status_of(not _any_match(statement["NotResource"], call.resource))
    return status_of("Resource" not in statement or _any_match(statement["Resource"], call.resource))


def _any_match(patterns: object, text: str, *, ignore_case: bool = False) -> bool:
    return any(matches(pattern, text, ignore_case=ignore_case) for pattern in _texts(patterns))


def _texts(value: object) -> list[str]:
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, str | int):
        return [str(value)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


def _conditions(statement: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    found = statement.get("Condition")
    if not isinstance(found, Mapping):
        return {} if not found else {"unreadable": {"condition": []}}
    return {name: keys if isinstance(keys, Mapping) else {"unreadable": []} for name, keys in found.items()}


def _condition(statement: Mapping[str, Any], call: ServiceCall) -> Status:
    return all_of(
        _test(name, key, _texts(values), call)
        for name, keys in _conditions(statement).items()
        for key, values in keys.items()
    )


_ValueTest = Callable[[str, str], bool | None]


def _dates(compare: Callable[[datetime, datetime], bool]) -> _ValueTest:
    """A comparison of the request's time with the policy's, which is ISO 8601 or seconds since 1970."""

    def test(pattern: str, text: str) -> bool | None:
        wanted, found = parse_time(float(pattern) if pattern.isdecimal() else pattern), parse_time(text)
        return None if wanted is None or found is None else compare(found, wanted)

    return test


_OPERATORS: dict[str, tuple[_ValueTest, bool]] = {
    "stringequals": (lambda pattern, text: pattern == text, True),
    "stringnotequals": (lambda pattern, text: pattern == text, False),
    "stringequalsignorecase": (lambda pattern, text: pattern.lower() == text.lower(), True),
    "stringnotequalsignorecase": (lambda pattern, text: pattern.lower() == text.lower(), False),
    "stringlike": (matches, True),
    "stringnotlike": (matches, False),
    "arnequals": (arn_matches, True),
    "arnlike": (arn_matches, True),
    "arnnotequals": (arn_matches, False),
    "arnnotlike": (arn_matches, False),
    "bool": (lambda pattern, text: pattern.lower() == text.lower(), True),
    "datelessthan": (_dates(operator.lt), True),
    "datelessthanequals": (_dates(operator.le), True),
    "dategreaterthan": (_dates(operator.gt), True),
    "dategreaterthanequals": (_dates(operator.ge), True),
}
# Operators that are not tried on a value, and are true of a key that is not there.
_NEGATED = ("numericnotequals", "datenotequals", "notipaddress")

# Policy variables stand for values of the request, and only in policies of the newer version.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
_VARIABLE = "${"

# What a set operator says of a key that the request does not carry; of one that it does, which here has one value,
# both say what the plain operator says.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
_WITHOUT_KEY: dict[str, bool | None] = {"": None, "forallvalues": True, "foranyvalue": False}


def _test(name: str, key: str, values: list[str], call: ServiceCall) -> Status:
    quantifier, _, name = name.lower().rpartition(":")
    if quantifier not in _WITHOUT_KEY:
        return Status.UNKNOWN
    answers = {_test_value(quantifier, name, values, found) for found in call.context(key)}
    return answers.pop() if len(answers) == 1 else Status.UNKNOWN


def _test_value(quantifier: str, name: str, values: list[str], found: str | None) -> Status:
    if name == "null":
        return status_of((found is None) == (values == ["true"]))
    plain = name.removesuffix("ifexists")
    compare, wanted = _OPERATORS.get(plain, (None, plain not in _NEGATED))
    if found is None:
        # A key that the request does not carry: only the negated operators and …IfExists are true.
        without = _WITHOUT_KEY[quantifier]
        return status_of(without if without is not None and plain == name else plain != name or not wanted)
    if compare is None or any(_VARIABLE in value for value in values):
        return Status.UNKNOWN
    met = any_of(status_of(compare(value, found)) for value in values)
    return met if wanted else opposite(met)
