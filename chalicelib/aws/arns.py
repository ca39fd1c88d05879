"""ARNs, read by their grammar: partitions, regions and accounts are never guessed from a prefix."""

from __future__ import annotations

import re
from functools import lru_cache

from chalicelib.named_tuple import NamedTuple


class Arn(NamedTuple):
    """arn:partition:service:region:account:resource."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def parse_arn(text: str | None) -> Arn | None:
    """The ARN in ``text``, or None where it is not one."""
    if not isinstance(text, str):
        return None
    return _parsed(text)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Arn | None:
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2]:
        return None
    return Arn(*parts[1:])


def log_group_name(arn: Arn) -> str:
    """The log group's name in its ARN, with or without the ``:*`` that CloudTrail asks for."""
    return arn.resource.removeprefix("log-group:").removesuffix(":*")


# The kinds that stand before a name in the resource part of an ARN.
_KINDS = ("trail/", "log-group:", "alarm:", "rule/", "function:", "key/", "table/", "secret:", "role/")


# A function may be named by the end of its ARN: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_PARTIAL_FUNCTION = re.compile(r"^\d{12}:function:")


def resource_name(text: str) -> str:
    """A thing's own name, be it given as such, as an ARN or as a queue's URL."""
    arn = parse_arn(text)
    name = arn.resource if arn else _PARTIAL_FUNCTION.sub("", text)
    if arn and arn.service == "ssm":
        name = name.removeprefix("parameter")  # the slash is the name's own in a hierarchy
    for kind in _KINDS:
        name = name.removeprefix(kind)
    if name.startswith(("https://", "http://")):
        return name.rpartition("/")[2]
    return name.removesuffix(":*")


def same_log_group(one: str, other: str) -> bool:
    """Whether two log group ARNs name the same group."""
    return one.removesuffix(":*") == other.removesuffix(":*")


@lru_cache(maxsize=4096)
def _wildcard(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """IAM's wildcards: ``*`` for any run of characters, ``?`` for one; nothing else is special."""
    return _wildcard(pattern, ignore_case).fullmatch(text) is not None


def arn_matches(pattern: str, text: str) -> bool:
    """IAM's ArnLike and ArnEquals: each of the six parts is compared by itself, so that ``*`` spans no colon.

    The last part, the resource, may hold colons of its own.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    wanted, found = pattern.split(":", 5), text.split(":", 5)
    if len(wanted) != 6 or len(found) != 6:
        return False
    return all(matches(one, other) for one, other in zip(wanted, found, strict=True))
