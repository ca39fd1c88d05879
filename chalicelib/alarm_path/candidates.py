"""What a field of a successful security group call may hold, as far as a filter's own literals care.

For each field that callers or requests may fill freely: the value the sample has, a value that the
filter does not name, and one per literal of the filter that would fit there. Fields that are always
the same (eventSource, eventType …) or come from a closed list stay as the samples have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from chalicelib.alarm_path.filter_pattern.evaluate import resolve
from chalicelib.alarm_path.filter_pattern.regex import example
from chalicelib.alarm_path.filter_pattern.syntax import (
    AnyElement,
    AnyValue,
    Compare,
    Condition,
    Index,
    Name,
    Number,
    Regex,
    Selector,
    Text,
)

# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
REGIONS = (
    *(
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "us-gov-east-1",
        "us-gov-west-1",
        "ca-central-1",
        "ca-west-1",
    ),
    *(
        "mx-central-1",
        "sa-east-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
    ),
    *("eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "af-south-1", "ap-east-1", "ap-east-2"),
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1"),
    *("ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7"),
    *("cn-north-1", "cn-northwest-1"),
)

# A value that no filter names.
_OTHER = "zq7"

_NAME_CHARACTERS = r"[\w+=,.@-]*"
_ARN_CHARACTERS = r"[\w+=,.@:/-]*"
_FREE_TEXT = r"[ -)+-~]*"  # all that is printable but *, which the clauses that hold it inside never match
_SERVICE = r"[A-Za-z0-9. -]*"
_DIGITS = r"\d*"
_ADDRESS = r"[0-9a-fA-F.:]*"

# Field → the characters it may hold and an exact form; by its whole path for the caller's fields.
_CALLER_FIELDS: dict[str, tuple[str, str]] = {
    "awsRegion": (r"[a-z0-9-]*", r"[a-z]{2}(-[a-z]+)+-\d+"),
    "recipientAccountId": (_DIGITS, r"\d{12}"),
    "userAgent": (_FREE_TEXT, ".+"),
    "sourceIPAddress": (_ADDRESS, r"\d+\.\d+\.\d+\.\d+|.*:.*"),
    "eventVersion": (r"[0-9.]*", r"\d\.\d+"),
    "eventTime": (r"[0-9TZ:-]*", r"[0-9-]+T[0-9:]+Z"),
    "eventID": (r"[0-9a-f-]*", r"[0-9a-f-]{36}"),
    "requestID": (r"[0-9a-f-]*", r"[0-9a-f-]{36}"),
    "vpcEndpointId": (r"[a-z0-9-]*", r"vpce-[0-9a-z]+"),
    "vpcEndpointAccountId": (_DIGITS, r"\d{12}"),
    "tlsDetails.clientProvidedHostHeader": (r"[a-z0-9.-]*", ".+"),
    "tlsDetails.cipherSuite": (r"[A-Z0-9_-]*", ".+"),
    "tlsDetails.tlsVersion": (r"[TLSv0-9.]*", r"TLSv1\.\d"),
    "userIdentity.arn": (_ARN_CHARACTERS, "arn:.+"),
    "userIdentity.principalId": (r"[\w+=,.@:-]*", ".+"),
    "userIdentity.userName": (_NAME_CHARACTERS, ".+"),
    "userIdentity.accountId": (_DIGITS, r"\d{12}"),
    "userIdentity.accessKeyId": (r"[A-Z0-9]*", "(AKIA|ASIA).*"),
    "userIdentity.invokedBy": (_SERVICE, r".+\.amazonaws\.com(\.cn)?|AWS Internal"),
    "userIdentity.credentialId": (_NAME_CHARACTERS, ".+"),
    "userIdentity.identityProvider": (_ARN_CHARACTERS, ".+"),
    "userIdentity.onBehalfOf.userId": (r"[0-9a-f-]*", ".+"),
    "userIdentity.onBehalfOf.identityStoreArn": (_ARN_CHARACTERS, "arn:.+"),
    "userIdentity.sessionContext.sourceIdentity": (_NAME_CHARACTERS, ".+"),
    "userIdentity.sessionContext.attributes.creationDate": (r"[0-9TZ:-]*", ".+"),
    "userIdentity.sessionContext.sessionIssuer.arn": (_ARN_CHARACTERS, "arn:.+"),
    "userIdentity.sessionContext.sessionIssuer.userName": (_NAME_CHARACTERS, ".+"),
    "userIdentity.sessionContext.sessionIssuer.principalId": (r"[\w:]*", ".+"),
    "userIdentity.sessionContext.sessionIssuer.accountId": (_DIGITS, r"\d{12}"),
    "userIdentity.sessionContext.webIdFederationData.federatedProvider": (_ARN_CHARACTERS, ".+"),
}

# The same by the last name, for what stands in requests and answers.
_REQUEST_FIELDS: dict[str, tuple[str, str]] = {
    "groupid": (r"[a-z0-9-]*", "sg-[0-9a-z]+"),
    "vpcid": (r"[a-z0-9-]*", "vpc-[0-9a-z]+"),
    "securitygroupruleid": (r"[a-z0-9-]*", "sgr-[0-9a-z]+"),
    "prefixlistid": (r"[a-z0-9-]*", "pl-[0-9a-z]+"),
    "groupname": (_FREE_TEXT, ".+"),
    "groupdescription": (_FREE_TEXT, ".+"),
    "description": (_FREE_TEXT, ".+"),
    "key": (_FREE_TEXT, ".+"),
    "value": (_FREE_TEXT, ".*"),
    "cidrip": (r"[0-9./]*", r"\d+\.\d+\.\d+\.\d+/\d+"),
    "cidripv4": (r"[0-9./]*", r"\d+\.\d+\.\d+\.\d+/\d+"),
    "cidripv6": (r"[0-9a-fA-F.:/]*", r".*:.*/\d+"),
    "ipprotocol": (r"[a-z0-9-]*", r"tcp|udp|icmp|icmpv6|-1|\d{1,3}"),
    "userid": (_DIGITS, r"\d{12}"),
    "groupownerid": (_DIGITS, r"\d{12}"),
    "fromport": (_DIGITS, ""),
    "toport": (_DIGITS, ""),
    "requestid": (r"[0-9a-f-]*", r"[0-9a-f-]{36}"),
}


def is_request_field(selector: Selector) -> bool:
    """Whether the selector leads into the request or the answer."""
    first = selector.steps[0]
    return isinstance(first, Name) and first.name in ("requestParameters", "responseElements")


def found_values(
    selector: Selector, sample: dict[str, Any], conditions: Iterable[Condition], *, is_service: bool
) -> tuple[tuple[Any, ...], ...]:
    """What the selector may lead to in records like this sample, one entry per case; () is a missing field."""
    base = resolve(selector, sample)
    if any(isinstance(step, AnyValue) for step in selector.steps):
        return (base, *_any_value(selector, sample, base, tuple(conditions), is_service=is_service))
    examples = there(selector, sample)
    # Of a list that may be longer, what its first elements hold, or nothing.
    bases = (base,) if base or not examples else (base, examples[:1])
    shape = _shape(selector, is_service=is_service) if examples else None
    if shape is None:
        return bases
    named = [(value,) for condition in conditions for value in _values(shape, examples[0], condition)]
    others = [(value,) for value in _others(selector, examples[0])] if isinstance(examples[0], str) else []
    return (*bases, *named, *others)


def there(selector: Selector, sample: dict[str, Any]) -> tuple[Any, ...]:
    """What the selector leads to in records like this sample, whose lists may be longer; nothing if it never does."""
    return resolve(selector, sample) or (_first_elements(selector, sample) if is_request_field(selector) else ())


def _any_value(
    selector: Selector,
    sample: dict[str, Any],
    base: tuple[Any, ...],
    conditions: tuple[Condition, ...],
    *,
    is_service: bool,
) -> Iterator[tuple[Any, ...]]:
    """``$.*``: each field in turn takes the values that the filter names."""
    at = next(index for index, step in enumerate(selector.steps) if isinstance(step, AnyValue))
    before, after = selector.steps[:at], selector.steps[at + 1 :]
    parents = (parent for parent in resolve(Selector(before), sample) if isinstance(parent, dict))
    for name in dict.fromkeys(name for parent in parents for name in parent):
        one = Selector((*before, Name(name), *after))
        here = resolve(one, sample)
        shape = _shape(one, is_service=is_service) if len(here) == 1 else None
        # That a user agent could spell an event's name is not what such a filter is about.
        if shape is not None and name != "userAgent":
            others = [value for value in base if value is not here[0]]
            named = (value for condition in conditions for value in _values(shape, here[0], condition))
            yield from ((*others, value) for value in named)


def _first_elements(selector: Selector, sample: dict[str, Any]) -> tuple[Any, ...]:
    """What the first elements hold where the selector asks for later ones: lists may be longer."""
    steps = tuple(Index(0) if isinstance(step, Index) else step for step in selector.steps)
    return resolve(Selector(steps), sample)


def _shape(selector: Selector, *, is_service: bool) -> tuple[str, str] | None:
    names = [step.name for step in selector.steps if isinstance(step, Name)]
    if is_request_field(selector):
        return _REQUEST_FIELDS.get(names[-1].lower())
    if any(isinstance(step, Index | AnyElement) for step in selector.steps):
        return None
    path = ".".join(names)
    if is_service and path in ("sourceIPAddress", "userAgent"):
        return _CALLER_FIELDS["userIdentity.invokedBy"]
    return _CALLER_FIELDS.get(path)


# Other values of fields whose form is AWS's, not the caller's.
_OTHERS: dict[str, tuple[str, ...]] = {
    "awsRegion": REGIONS,
    "eventVersion": ("1.08", "1.11"),
    "eventTime": ("2027-02-03T04:05:06Z",),
    "creationDate": ("2027-02-03T04:05:06Z",),
    "eventID": ("99999999-8888-7777-6666-555555555555",),
    "requestID": ("99999999-8888-7777-6666-555555555555",),
    "requestId": ("99999999-8888-7777-6666-555555555555",),
    "tlsVersion": ("TLSv1.2",),
    "cipherSuite": ("ECDHE-RSA-AES128-GCM-SHA256",),
    "ipProtocol": ("udp", "50"),
    "IpProtocol": ("udp", "50"),
    "userAgent": (_OTHER,),
    "clientProvidedHostHeader": ("ec2.eu-west-1.api.aws",),
}


def _others(selector: Selector, sample: str) -> tuple[str, ...]:
    name = next((step.name for step in reversed(selector.steps) if isinstance(step, Name)), "")
    if sample.endswith("amazonaws.com") and name in ("userAgent", "sourceIPAddress", "invokedBy"):
        return ("autoscaling.amazonaws.com", "rds.amazonaws.com")
    if name in _OTHERS:
        return _OTHERS[name]
    if re.fullmatch(r"\d{12}", sample):
        return ("999988887777",)
    if re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+:[0-9a-fA-F:]*", sample.split("/", maxsplit=1)[0]):
        return (re.sub(r"^[^/]+", "192.0.2.77" if "." in sample else "2001:db8::77", sample),)
    # An id keeps its kind; of an ARN or a name, the last part is what people choose. Root's has none.
    if re.match(r"(sg|sgr|vpc|vpce|pl|i)-|AKIA|ASIA", sample):
        return (sample[:4] + "0" + _OTHER.upper() if sample.startswith("A") else sample + "0",)
    return () if sample.endswith(":root") else (re.sub(r"[\w+=,.@-]+$", _OTHER, sample),)


def _values(shape: tuple[str, str], sample: Any, condition: Condition) -> Iterator[Any]:
    """Values that meet the condition's literal, where the field could hold them."""
    if not isinstance(condition, Compare):
        return
    if isinstance(condition.value, Number):
        yield from _numbers(condition.value, sample, shape)
    elif isinstance(condition.value, Regex):
        text = example(condition.value.source)
        if text is not None and isinstance(sample, str) and re.fullmatch(shape[0], text):
            yield text if condition.value.source.startswith("^") else sample + text
    elif isinstance(condition.value, Text):
        yield from _texts(condition.value.text, sample, shape)


def _numbers(wanted: Number, sample: Any, shape: tuple[str, str]) -> Iterator[Any]:
    if isinstance(sample, int) and not isinstance(sample, bool):
        if -1 <= wanted.value <= 65535:
            yield from (port for port in (int(wanted.value) + step for step in (-1, 0, 1)) if -1 <= port <= 65535)
    elif isinstance(sample, str) and re.fullmatch(shape[1], wanted.text):
        yield wanted.text


def _texts(wanted: str, sample: Any, shape: tuple[str, str]) -> Iterator[Any]:
    leading, trailing = wanted.startswith("*"), wanted.endswith("*")
    core = wanted.strip("*")
    if not core or not re.fullmatch(shape[0], core):
        return
    if not isinstance(sample, str):
        if core.isdigit() and len(core) <= 5:
            yield int(core)
        return
    if not leading and not trailing:
        if re.fullmatch(shape[1], core) and _same_kind_of_arn(core, sample):
            yield core
    elif sample in REGIONS:
        return
    elif leading:
        # Built around the sample, so that it stays a value of its kind; root's ARN is the account's.
        if not sample.endswith(":root") or core.isdigit():
            yield sample + core
    elif _may_begin(core, sample, shape):
        yield core + ("1" if core[-1:].isdigit() or not core[-1:].isalpha() else "x")


def _may_begin(core: str, sample: str, shape: tuple[str, str]) -> bool:
    """Whether a value of the field's form could begin like this: ``sg-*`` may, ``vpc-*`` in a group's id may not."""
    fixed = re.match(r"[a-z]+-|arn:", shape[1])
    begins = fixed is None or core.startswith(fixed.group()) or fixed.group().startswith(core)
    return begins and _same_kind_of_arn(core, sample)


def _same_kind_of_arn(core: str, sample: str) -> bool:
    """Whether an ARN names the same service and kind as the sample's; root's ARN names nobody else."""
    if not core.startswith("arn:") or not sample.startswith("arn:"):
        return True
    wanted, has = core.split(":", 5), sample.split(":", 5)
    if len(wanted) > 2 and wanted[2] != has[2] and not has[2].startswith(wanted[2] if len(wanted) == 3 else "\0"):
        return False
    if len(wanted) < 6:
        return True
    wanted_kind, kind = wanted[5].split("/")[0], has[5].split("/")[0]
    return wanted_kind == kind or ("/" not in wanted[5] and kind.startswith(wanted_kind))
