"""AWS Security Hub: a finding in the AWS Security Finding Format, of the account that sgwatch runs in.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from chalicelib.alert.model import Alert, AlertKind, Severity, format_time
from chalicelib.destinations.aws_errors import error_from, refused_entry
from chalicelib.destinations.contract import Receipt, Tools
from chalicelib.destinations.delivery_ids import incident_key, is_recovery
from chalicelib.destinations.incidents import Incident, IncidentBook
from chalicelib.destinations.outline import CUTS, outline
from chalicelib.named_tuple import NamedTuple
from chalicelib.rendering.lines import headline, value
from chalicelib.text import clip

# https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
MAX_TITLE = 256
MAX_DESCRIPTION = 1_024
MAX_REMEDIATION = 512

_LABELS = {
    Severity.CRITICAL: "CRITICAL",
    Severity.HIGH: "HIGH",
    Severity.MEDIUM: "MEDIUM",
    Severity.LOW: "LOW",
    Severity.INFO: "INFORMATIONAL",
}
_OTHER_TYPE = "Software and Configuration Checks/AWS Security Best Practices"
_REACHABILITY = f"{_OTHER_TYPE}/Network Reachability"
_TYPES = {AlertKind.SECURITY_GROUP_CHANGE: _REACHABILITY, AlertKind.DRIFT: _REACHABILITY}
_REACHES = "Effects/Data Exposure"


class Home(NamedTuple):
    """Where findings are imported: the account that calls, because a default product takes no other's."""

    partition: str
    account_id: str
    region: str


class SecurityHubClient(Protocol):
    """The one call that is needed of a Security Hub client."""

    def batch_import_findings(self, **kwargs: Any) -> Any:
        """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html."""


def payload(alert: Alert, home: Home, now: datetime, runbook: str | None = None) -> dict[str, Any]:
    """The finding: archived where the alarm path has recovered."""
    product = f"arn:{home.partition}:securityhub:{home.region}:{home.account_id}:product/{home.account_id}/default"
    happened = alert.occurred_at if alert.occurred_at and alert.occurred_at.year >= 1970 else now
    finding: dict[str, Any] = {
        "SchemaVersion": "2018-10-08",
        "Id": f"sgwatch/{incident_key(alert)}",
        "ProductArn": product,
        "GeneratorId": f"sgwatch/{alert.kind}",
        "AwsAccountId": home.account_id,
        "Types": [_TYPES.get(alert.kind, _OTHER_TYPE), *([_REACHES] if alert.exposures else [])],
        "CreatedAt": _time(happened),
        "UpdatedAt": _time(now),
        "Severity": {"Label": _LABELS[alert.severity]},
        "Title": clip(headline(alert), MAX_TITLE)[0],
        "Description": clip(value(alert.summary, MAX_DESCRIPTION) or headline(alert), MAX_DESCRIPTION)[0],
        "Resources": [_resource(alert, home)],
        "ProductFields": dict(_fields(alert)),
        "RecordState": "ARCHIVED" if is_recovery(alert) else "ACTIVE",
        "Workflow": {"Status": "RESOLVED" if is_recovery(alert) else "NEW"},
    }
    links = outline(alert, CUTS[-1], runbook).links
    advice: dict[str, str] = {"Text": clip(_way_back(alert), MAX_REMEDIATION)[0]}
    if links:
        finding["SourceUrl"] = links[0].url
        advice["Url"] = links[-1].url
    return {**finding, "Remediation": {"Recommendation": advice}}


def archived(finding: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The finding as it is imported again when what it says was reverted."""
    return {**finding, "RecordState": "ARCHIVED", "Workflow": {"Status": "RESOLVED"}, "UpdatedAt": _time(now)}


class SecurityHub(NamedTuple):
    """Imports alerts as findings; ``client(service, region)`` makes AWS clients when there is something to send."""

    name: str
    client: Callable[..., Any]
    runbook: Callable[[Alert], str | None]
    incidents: IncidentBook
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def send(self, alert: Alert) -> Receipt:
        """Deliver one alert; the receipt's reference is the finding's id.

        Raises:
            DeliveryError: it was not delivered.
        """
        finding = self._finding(alert)
        content = json.dumps(finding, separators=(",", ":"))
        return self.incidents.send(alert, lambda: self._import(finding), self._archive, content)

    def resolve(self, alert: Alert) -> Receipt:
        """Archive the findings of what an alert ends, and import none that is new.

        Raises:
            DeliveryError: not all of them were archived.
        """
        if is_recovery(alert):
            return self._import(self._finding(alert))
        return self.incidents.resolve(alert, self._archive)

    def _archive(self, _: str, incident: Incident) -> None:
        self._import(archived(json.loads(incident.content), self.now()))

    def _finding(self, alert: Alert) -> dict[str, Any]:
        try:
            return payload(alert, self._home(), self.now(), self.runbook(alert))
        except Exception as error:  # noqa: BLE001 - boto3 raises what it likes where no answer comes
            failure = error_from(error, "Security Hub")
        raise failure

    def _import(self, finding: Mapping[str, Any]) -> Receipt:
        try:
            hub: SecurityHubClient = self.client("securityhub", None)
            answer = hub.batch_import_findings(Findings=[finding])
        except Exception as error:  # noqa: BLE001 - as above
            failure = error_from(error, "Security Hub")
        else:
            if not answer.get("FailedCount"):
                return Receipt(finding["Id"])
            failure = refused_entry(str(answer["FailedFindings"][0].get("ErrorCode")), "Security Hub")
        raise failure

    def _home(self) -> Home:
        hub: Any = self.client("securityhub", None)
        caller = self.client("sts", None).get_caller_identity()
        return Home(caller["Arn"].split(":")[1], caller["Account"], hub.meta.region_name)


def build(name: str, values: Mapping[str, str], tools: Tools) -> SecurityHub:  # noqa: ARG001 - the form of every build
    """The destination, which has no settings but that it is on."""
    return SecurityHub(name, tools.client, tools.runbook, IncidentBook(name, tools.table))


def _resource(alert: Alert, home: Home) -> dict[str, Any]:
    group, account = alert.security_group, alert.account.id or home.account_id
    region = value(alert.region or home.region, 60)
    if group is None or not group.id:
        return {"Type": "AwsAccount", "Id": f"AWS::::Account:{value(account, 60)}", "Partition": home.partition}
    detail = {"GroupId": group.id, "GroupName": group.name, "VpcId": group.vpc_id, "OwnerId": account}
    return {
        "Type": "AwsEc2SecurityGroup",
        "Id": f"arn:{home.partition}:ec2:{region}:{value(account, 60)}:security-group/{value(group.id, 200)}",
        "Partition": home.partition,
        "Region": region,
        "Details": {"AwsEc2SecurityGroup": {name: value(text) for name, text in detail.items() if text}},
    }


def _fields(alert: Alert) -> dict[str, str]:
    named = {
        "account": alert.account.id,
        "region": alert.region,
        "event": alert.event.name,
        "event_id": alert.event.id,
        "principal": alert.principal and alert.principal.name,
        "reasons": "; ".join(exposure.reason for exposure in alert.exposures[:5]),
    }
    return {f"sgwatch/{name}": value(text, 1_000) for name, text in named.items() if text}


def _way_back(alert: Alert) -> str:
    """A command is whole or not there."""
    if alert.undo.commands and sum(map(len, alert.undo.commands)) + len(alert.undo.commands) <= MAX_REMEDIATION:
        return "\n".join(alert.undo.commands)
    if alert.undo.commands:
        return "The alert's JSON has the commands that undo it; sgwatch undo prints them."
    reason = value(alert.undo.reason or "", 400)
    return f"How to undo it is not known: {reason}" if alert.undo.commands is None else reason or "Nothing to undo."


def _time(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))
