"""What a call did to the alarm path, by the audits before and after it; nobody is blamed for what was so before."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.health import Standing
from chalicelib.cloudtrail.tamper_calls import Scope, TamperCall
from chalicelib.security_groups.severity import Severity


class Consequence(StrEnum):
    """How the path stands after a call, compared with before it."""

    BROKE = "broke"
    IS_BROKEN = "is_broken"  # whether by this call is not known
    MAY_BE_BROKEN = "may_be_broken"
    BROKEN_BY_OTHERS = "broken_by_others"
    WAS_BROKEN = "was_broken"
    RECOVERED = "recovered"
    STILL_WORKS = "still_works"

    @property
    def broken_by_this_call(self) -> bool | None:
        """Whether the call broke the path; None where that is not known."""
        if self in (Consequence.IS_BROKEN, Consequence.MAY_BE_BROKEN):
            return None
        return self is Consequence.BROKE


# By source, how the ids of the checks begin that its calls can make fail.
_BREAKABLE: Mapping[str, tuple[str, ...]] = {
    "cloudtrail.amazonaws.com": ("trail-",),
    "logs.amazonaws.com": ("log-group", "trail-log-group", "trail-delivery", "filter-", "alarm-"),
    "monitoring.amazonaws.com": ("alarm-", "composite-alarm", "own-"),
    "sns.amazonaws.com": ("topic-", "subscriber", "alarm-actions", "own-"),
    "kms.amazonaws.com": ("topic-key", "log-group", "trail-delivery", "own-"),
}
_OWN_CHECKS = ("own-",)


def consequence(
    call: TamperCall, standing: Standing, was: Status | None, *, touched: bool | None, succeeded: bool
) -> Consequence:
    """Compare the status of the audit before with what the audit after the call found."""
    if standing.status is Status.PASS:
        return Consequence.STILL_WORKS if was in (None, Status.PASS) else Consequence.RECOVERED
    if standing.status is was is Status.FAIL:
        return Consequence.WAS_BROKEN
    if not succeeded or not _may_have_done(call, standing):
        return Consequence.BROKEN_BY_OTHERS
    if standing.status is Status.UNKNOWN:
        return Consequence.MAY_BE_BROKEN
    return Consequence.BROKE if was is Status.PASS and touched else Consequence.IS_BROKEN


def _may_have_done(call: TamperCall, standing: Standing) -> bool:
    """Whether something that is wrong now is of the kind that this call can bring about."""
    bad = [finding.check for finding in standing.problems if finding.status is standing.status]
    checks = _BREAKABLE.get(call.source, _OWN_CHECKS)
    return not bad or any(check.startswith(checks) or check == "audit" for check in bad)


def severity_after(found: Consequence, alone: Severity, call: TamperCall) -> Severity:
    """The severity of a call that succeeded; ``alone`` is that of its record by itself."""
    if found in (Consequence.BROKE, Consequence.IS_BROKEN):
        return Severity.HIGH
    if found is Consequence.MAY_BE_BROKEN:
        return max(alone, Severity.MEDIUM, key=lambda severity: severity.rank)
    # Of its own functions the audit sees that they exist and are invoked, not what they do then.
    return alone if call.scope is Scope.OWN else Severity.LOW
