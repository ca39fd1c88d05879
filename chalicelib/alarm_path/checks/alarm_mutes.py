"""Mute rules, which silence the actions of alarms for a time.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutAlarmMuteRule.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.alarm_path.fix_calls import FixCall, accepted
from chalicelib.alarm_path.snapshot.model import Region, Snapshot

_MUTE_STATES = ("ACTIVE", "SCHEDULED", "EXPIRED")


def _muted_names(rule: Mapping[str, Any]) -> Sequence[str]:
    targets = rule.get("MuteTargets")
    names = targets.get("AlarmNames") if isinstance(targets, Mapping) else None
    return names if isinstance(names, list) else ()


def _rules_on(region: Region, name: str, arn: str) -> list[Mapping[str, Any]]:
    return [rule for rule in region.mute_rules if {name, arn} & set(_muted_names(rule))]


def mute_of(region: Region, name: str, arn: str) -> tuple[str | None, tuple[str, ...]]:
    """The mute rule that silences an alarm now, and notes on those that will."""
    rules = _rules_on(region, name, arn)
    active = next((str(rule.get("Name")) for rule in rules if rule.get("Status") == "ACTIVE"), None)
    later = tuple(
        f"Mute rule {rule.get('Name')} is scheduled to mute alarm {name}."
        for rule in rules
        if rule.get("Status") == "SCHEDULED"
    )
    return active, later


def unread_mute(region: Region, name: str, arn: str) -> str | None:
    """Why it is not known whether an alarm is muted; None where it is."""
    rules = _rules_on(region, name, arn)
    unclear = next((rule for rule in rules if rule.get("Status") not in _MUTE_STATES), None)
    if unclear is not None:
        return f"Whether mute rule {unclear.get('Name')} mutes alarm {name} now is not known: it came without a status."
    return None


def refused_mutes(snapshot: Snapshot, region: Region) -> str | None:
    """Why any alarm of the region may be muted: AWS refused mute rules, or one of them; None where it did not.

    Where the installed SDK does not know mute rules, as the Lambda runtime's may not, AWS refused nothing, and a note
    says that they were not read.
    """
    calls = ("cloudwatch:ListAlarmMuteRules", "cloudwatch:GetAlarmMuteRule")
    errors = [e for e in snapshot.errors_of(*calls, region=region.name) if not (e.not_found or e.not_in_sdk)]
    return f"Mute rules, which may silence the alarm, could not all be read: {errors[0]}." if errors else None


def unmute(rules: Iterable[Mapping[str, Any]], region: str, name: str) -> Iterator[FixCall]:
    """Each mute rule that silences an alarm now lifted, or put without it where it mutes others too."""
    for rule in rules:
        names = _muted_names(rule)
        if rule.get("Status") != "ACTIVE" or name not in names:
            continue
        before = FixCall("cloudwatch", "PutAlarmMuteRule", region, accepted(rule))
        if len(names) == 1:
            called = {"AlarmMuteRuleName": rule.get("Name")}
            yield FixCall("cloudwatch", "DeleteAlarmMuteRule", region, called, "Lift the mute rule.", before)
        else:
            targets = {**rule["MuteTargets"], "AlarmNames": [other for other in names if other != name]}
            fields = {**before.parameters, "MuteTargets": targets}
            why = "Leave the alarm out of the mute rule."
            yield FixCall("cloudwatch", "PutAlarmMuteRule", region, fields, why, before)
