"""Whether a record of the tamper group touches the alarm path or sgwatch itself.

Accounts are full of PutMetricAlarm and PutRule that have to do with neither: autoscaling alone puts alarms all day.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.alert.tampering import is_own
from chalicelib.aws.arns import parse_arn, resource_name
from chalicelib.cloudtrail.tamper_calls import TamperCall


def touches(
    call: TamperCall, names: Iterable[str], before: frozenset[str] | None, now: frozenset[str] | None
) -> bool | None:
    """Whether the call names a part of the path as it was or is; None where that cannot be established.

    ``names`` are all that the record names, ``before`` and ``now`` the parts by ``resource_name``. What a call put or
    changed is there to be seen afterwards; what it deleted is known only from before.
    """
    named = tuple(names)
    if not named or call.is_account_wide:
        return None
    if any(map(is_own, named)):
        return True  # sgwatch's own, also where its own path was not collected
    if any(name in (before or frozenset()) | (now or frozenset()) for name in _names(named)):
        return True
    return False if before is not None or (not call.weakens and now is not None) else None


def parts_among(names: Iterable[str], before: frozenset[str] | None, now: frozenset[str] | None) -> tuple[str, ...]:
    """Those of the names that are known to be parts of the path, or are of sgwatch's own; in their order."""
    known = (before or frozenset()) | (now or frozenset())
    return tuple(name for name in names if is_own(name) or any(part in known for part in _names([name])))


def _names(named: Iterable[str]) -> Iterable[str]:
    for text in named:
        yield resource_name(text)
        # Confirming by the link in a mail leaves no record, so a subscription may be younger than the last audit; its
        # ARN names the topic too. https://docs.aws.amazon.com/sns/latest/dg/logging-using-cloudtrail.html
        arn = parse_arn(text)
        if arn is not None and arn.service == "sns" and ":" in arn.resource:
            yield arn.resource.partition(":")[0]
