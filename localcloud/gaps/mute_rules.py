"""CloudWatch's alarm mute rules, which moto does not have.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutAlarmMuteRule.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from botocore.utils import parse_timestamp
from moto.cloudwatch.models import cloudwatch_backends

from localcloud.aws_error import AwsError
from localcloud.schedules import cron_matches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiRequest

AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)\)")
CRON = re.compile(r"cron\((\S+ \S+ \S+ \S+ \S+)\)")
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
LONGEST = timedelta(days=15)
STATUSES = ("SCHEDULED", "ACTIVE", "EXPIRED")
ONE_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class MuteRule:
    """A mute rule as it was put; ``starts_at`` and ``expires_at`` are aware times in UTC."""

    params: Mapping[str, Any]
    arn: str
    updated_at: datetime
    starts_at: datetime | None
    expires_at: datetime | None

    @property
    def alarm_names(self) -> tuple[str, ...]:
        """The alarms that it mutes."""
        return tuple((self.params.get("MuteTargets") or {}).get("AlarmNames") or ())

    def status(self, now: datetime) -> str:
        """One of SCHEDULED, ACTIVE and EXPIRED."""
        schedule = self.params["Rule"]["Schedule"]
        zone = ZoneInfo(schedule.get("Timezone") or "UTC")
        duration = duration_of(schedule["Duration"])
        if self.expires_at is not None and now >= self.expires_at:
            return "EXPIRED"
        begun = self.starts_at is None or now >= self.starts_at
        if at := AT.fullmatch(schedule["Expression"]):
            start = datetime.fromisoformat(at[1]).replace(tzinfo=zone)
            if now >= start + duration:
                return "EXPIRED"
            return "ACTIVE" if begun and now >= start else "SCHEDULED"
        return (
            "ACTIVE" if begun and _began_within(schedule["Expression"], duration, now.astimezone(zone)) else "SCHEDULED"
        )


def duration_of(text: str) -> timedelta:
    """The length of an ISO 8601 duration of days, hours and minutes."""
    found = DURATION.fullmatch(text)
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    length = timedelta(days=days, hours=hours, minutes=minutes)
    if not ONE_MINUTE <= length <= LONGEST:
        raise AwsError("ValidationError", f"Duration {text} is not an ISO 8601 duration from PT1M to P15D.")
    return length


def _began_within(expression: str, duration: timedelta, now: datetime) -> bool:
    """Whether a cron expression of five fields had a minute within the duration that ends now."""
    found = CRON.fullmatch(expression)
    if found is None:
        return False
    minutes, hours, day, month, weekday = found[1].split()
    # EventBridge's expressions number the days from 1, these from 0 as cron does; both know them by name.
    fields = f"{minutes} {hours} {day} {month} {_from_one(weekday)} *"
    minute, first = now.replace(second=0, microsecond=0), now - duration
    while minute > first:
        if cron_matches(fields, minute):
            return True
        minute -= ONE_MINUTE
    return False


def _from_one(weekday: str) -> str:
    return re.sub(r"\d+", lambda found: str(int(found[0]) % 7 + 1), weekday)


def rules_of(account_id: str, region: str) -> dict[str, MuteRule]:
    """The mute rules of an account and region by name."""
    backend = cloudwatch_backends[account_id][region]
    kept: dict[str, MuteRule] = backend.__dict__.setdefault("alarm_mute_rules", {})
    return kept


def is_muted(account_id: str, region: str, alarm_name: str, now: datetime) -> bool:
    """Whether an active mute rule names an alarm."""
    rules = rules_of(account_id, region).values()
    return any(alarm_name in rule.alarm_names and rule.status(now) == "ACTIVE" for rule in rules)


def put(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """PutAlarmMuteRule: a rule of the same name is replaced."""
    schedule, name = call.params["Rule"]["Schedule"], str(call.params["Name"])
    if not (AT.fullmatch(schedule["Expression"]) or CRON.fullmatch(schedule["Expression"])):
        raise AwsError("ValidationError", f"Expression {schedule['Expression']} is neither cron(…) nor at(…).")
    duration_of(schedule["Duration"])
    arn = f"arn:aws:cloudwatch:{call.region}:{account_id}:alarm-mute-rule:{name}"
    times = (_time(call.params.get(key)) for key in ("StartDate", "ExpireDate"))
    rules_of(account_id, call.region)[name] = MuteRule(dict(call.params), arn, datetime.now(UTC), *times)
    return {}


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    parsed: datetime = value if isinstance(value, datetime) else parse_timestamp(value)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def get(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """GetAlarmMuteRule."""
    name = str(call.params["AlarmMuteRuleName"])
    rule = rules_of(account_id, call.region).get(name)
    if rule is None:
        raise AwsError("ResourceNotFoundException", f"Alarm mute rule {name} does not exist.")
    shown = {key: rule.params[key] for key in ("Name", "Description", "Rule", "MuteTargets") if key in rule.params}
    return {**shown, **_summary(rule), **({"StartDate": rule.starts_at} if rule.starts_at else {})}


def _summary(rule: MuteRule) -> dict[str, Any]:
    summary = {
        "AlarmMuteRuleArn": rule.arn,
        "Status": rule.status(datetime.now(UTC)),
        "MuteType": "ONE_TIME" if AT.fullmatch(rule.params["Rule"]["Schedule"]["Expression"]) else "RECURRING",
        "LastUpdatedTimestamp": rule.updated_at,
    }
    return summary | ({"ExpireDate": rule.expires_at} if rule.expires_at else {})


def list_rules(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """ListAlarmMuteRules, by alarm and status."""
    alarm, statuses = call.params.get("AlarmName"), call.params.get("Statuses") or STATUSES
    rules = [rule for rule in rules_of(account_id, call.region).values() if alarm is None or alarm in rule.alarm_names]
    found = [summary for summary in map(_summary, rules) if summary["Status"] in statuses]
    start = int(call.params.get("NextToken") or 0)
    end = start + int(call.params.get("MaxRecords") or 100)
    answer: dict[str, Any] = {"AlarmMuteRuleSummaries": found[start:end]}
    return answer | {"NextToken": str(end)} if end < len(found) else answer


def delete(call: ApiRequest, account_id: str) -> Mapping[str, Any]:
    """DeleteAlarmMuteRule, which succeeds for a rule that does not exist."""
    rules_of(account_id, call.region).pop(str(call.params["AlarmMuteRuleName"]), None)
    return {}


ANSWERS: dict[str, Callable[[ApiRequest, str], Mapping[str, Any]]] = {
    "PutAlarmMuteRule": put,
    "GetAlarmMuteRule": get,
    "ListAlarmMuteRules": list_rules,
    "DeleteAlarmMuteRule": delete,
}
