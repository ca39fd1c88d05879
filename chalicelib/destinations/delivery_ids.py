"""The id under which an alert is delivered: the same for every attempt, so that receivers can drop repeats."""

from __future__ import annotations

import hashlib
import re

from chalicelib.alert.model import Alert, AlertKind

# Header-safe, free of the full stop that Standard Webhooks signs between its parts, and no longer
# than the 128 characters of an SNS FIFO deduplication id.
_SAFE = r"[A-Za-z0-9_-]{1,128}"


def delivery_id(alert: Alert) -> str:
    """An id made of the alert's kind and its id, a digest of them where those are unfit.

    Nothing that is looked up is in it: of the same event delivered twice, one look-up may fail.
    """
    return safe_id(f"{alert.kind}-{alert.id}")


def group_key(alert: Alert) -> str:
    """What keeps its order among alerts: the security group, else the account."""
    group = alert.security_group.id if alert.security_group else None
    key = group or alert.account.id or alert.kind
    return safe_id(key)


def incident_key(alert: Alert) -> str:
    """What keeps one incident open at a service that has incidents.

    What the audit says of the alarm path is one incident an account, which its recovery closes; every other alert
    is one of its own.
    """
    if _is_of_audit(alert):
        return safe_id(f"alarm-path-{alert.account.id or 'account'}")
    return delivery_id(alert)


def is_recovery(alert: Alert) -> bool:
    """Whether the audit says that the alarm path works again."""
    return _is_of_audit(alert) and alert.alarm_path is not None and alert.alarm_path.status == "pass"


def may_resolve(alert: Alert) -> bool:
    """Whether an alert may end an incident: a rule went or was modified, its group went, or the path recovered."""
    gone = alert.changes.removed or alert.changes.modified or alert.event.name == "DeleteSecurityGroup"
    return bool(gone) or is_recovery(alert)


def _is_of_audit(alert: Alert) -> bool:
    """Whether an audit made it, and no call."""
    return alert.kind is AlertKind.ALARM_PATH and alert.event.name is None


def safe_id(text: str) -> str:
    """The text where it is fit for an id; else a digest of it."""
    return text if re.fullmatch(_SAFE, text) else _digest(text)


def _digest(text: str) -> str:
    # Lone surrogates are possible in JSON and have no UTF-8.
    return "sha256-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]
