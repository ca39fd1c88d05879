"""The alert in the Open Cybersecurity Schema Framework, version 1.5.

What opens something, or is about no call, is a Detection Finding (2004); any other call is API Activity (6003).
https://schema.ocsf.io/1.5.0/classes/detection_finding https://schema.ocsf.io/1.5.0/classes/api_activity
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.alert.model import Alert, Outcome, Severity, to_json
from chalicelib.destinations.delivery_ids import delivery_id, incident_key, is_recovery

VERSION = "1.5.0"

_SEVERITIES = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
# API Activity: what the call does. https://schema.ocsf.io/1.5.0/classes/api_activity
_ACTIVITIES = {"Create": (1, "Create"), "Delete": (4, "Delete"), "Describe": (2, "Read")}
_UPDATE = (3, "Update")
Document = dict[str, Any]


def event(alert: Alert, now: datetime, runbook: str | None = None) -> Document:
    """The event of the class that fits; what is not known is left out."""
    is_finding = bool(alert.exposures) or alert.event.name is None
    return _finding(alert, now, runbook) if is_finding else _activity(alert, now)


def _base(alert: Alert, now: datetime, class_uid: int, class_name: str, activity: tuple[int, str]) -> Document:
    category = (2, "Findings") if class_uid == 2004 else (6, "Application Activity")
    severity_id, severity = _SEVERITIES[alert.severity]
    status_id, status = (1, "New") if class_uid == 2004 else _status(alert)
    if class_uid == 2004 and is_recovery(alert):
        status_id, status = 4, "Resolved"
    return {
        "activity_id": activity[0],
        "activity_name": activity[1],
        "category_uid": category[0],
        "category_name": category[1],
        "class_uid": class_uid,
        "class_name": class_name,
        "type_uid": class_uid * 100 + activity[0],
        "type_name": f"{class_name}: {activity[1]}",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "time": _milliseconds(alert.occurred_at or now),
        "message": alert.title,
        "metadata": {
            "version": VERSION,
            "uid": delivery_id(alert),
            "event_code": alert.event.name or alert.kind.value,
            "product": {"name": "sgwatch", "vendor_name": "sgwatch", "version": "1"},
            "profiles": ["cloud"],
            "logged_time": _milliseconds(now),
        },
        "cloud": _known(
            {
                "provider": "AWS",
                "region": alert.region,
                "account": _account(alert),
            }
        ),
        "unmapped": to_json(alert),
    }


def _finding(alert: Alert, now: datetime, runbook: str | None) -> Document:
    activity = (3, "Close") if is_recovery(alert) else (1, "Create")
    moment = _milliseconds(alert.occurred_at or now)
    info = {
        "uid": incident_key(alert),
        "title": alert.title,
        "desc": alert.summary or alert.title,
        "created_time": moment,
        "first_seen_time": moment,
        "last_seen_time": moment,
        "types": [exposure.reason for exposure in alert.exposures] or [alert.kind.value],
        "src_url": alert.event.url,
    }
    finding = {
        **_base(alert, now, 2004, "Detection Finding", activity),
        "finding_info": _known(info),
        "resources": [_resource(alert)],
        "evidences": [_known({"api": _api(alert), "actor": _actor(alert), "src_endpoint": _endpoint(alert)})],
        "remediation": _remediation(alert, runbook),
    }
    if not alert.event.name:
        del finding["evidences"]
    return finding


def _activity(alert: Alert, now: datetime) -> Document:
    name = alert.event.name or ""
    activity = next((found for verb, found in _ACTIVITIES.items() if name.startswith(verb)), _UPDATE)
    return {
        **_base(alert, now, 6003, "API Activity", activity),
        "api": _api(alert),
        "actor": _actor(alert) or {"user": {"name": "unknown"}},
        "src_endpoint": _endpoint(alert) or {"name": "unknown"},
        "resources": [_resource(alert)],
    }


def _status(alert: Alert) -> tuple[int, str]:
    if alert.event.outcome is Outcome.SUCCEEDED:
        return 1, "Success"
    return (0, "Unknown") if alert.event.outcome is None else (2, "Failure")


def _api(alert: Alert) -> Document | None:
    if not alert.event.name:
        return None
    response = {"error": alert.event.error_code, "error_message": alert.event.error_message, "code": 0}
    return _known(
        {
            "operation": alert.event.name,
            "service": _service(alert.event.source) if alert.event.source else None,
            "request": {"uid": alert.event.request_id} if alert.event.request_id else None,
            "response": _known(response) if alert.event.error_code else None,
        }
    )


def _service(source: str) -> Document:
    # CloudTrail does not record a version of the service, and readers of the schema require one.
    return {"name": source, "uid": source, "version": "unknown"}


def _actor(alert: Alert) -> Document | None:
    who = alert.principal
    if who is None:
        return None
    user = {
        "name": who.name,
        "type": who.type,
        "uid": who.arn,
        "account": {"uid": who.account_id, "type": "AWS Account", "type_id": 10} if who.account_id else None,
        "credential_uid": who.access_key_id,
    }
    return _known({"user": _known(user), "invoked_by": who.invoked_by})


def _endpoint(alert: Alert) -> Document | None:
    address = alert.principal.source_ip if alert.principal else None
    if not address:
        return None
    # A call that AWS makes itself has a service's name in place of an address.
    return {"ip": address} if address[-1:].isdigit() or ":" in address else {"domain": address}


def _resource(alert: Alert) -> Document:
    group = alert.security_group
    if group is None:
        return _known({"type": "AWS account", "uid": alert.account.id or "unknown", "region": alert.region})
    return _known(
        {
            "type": "AWS::EC2::SecurityGroup",
            "uid": group.id or group.name or "unknown",
            "name": group.name,
            "region": alert.region,
            "labels": [f"owner: {group.owner}"] if group.owner else None,
        }
    )


def _remediation(alert: Alert, runbook: str | None) -> Document:
    steps = "\n".join(alert.undo.commands or ()) or alert.undo.reason or "Nothing to undo."
    return _known({"desc": steps, "references": [runbook] if runbook else None})


def _account(alert: Alert) -> Document | None:
    if not alert.account.id:
        return None
    return _known(
        {"uid": alert.account.id, "name": alert.account.name or alert.account.id, "type": "AWS Account", "type_id": 10}
    )


def _known(document: Mapping[str, Any]) -> Document:
    return {name: item for name, item in document.items() if item is not None}


def _milliseconds(moment: datetime) -> int:
    return max(0, int(moment.timestamp() * 1000))
