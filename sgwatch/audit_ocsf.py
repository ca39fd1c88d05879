"""The audit in the Open Cybersecurity Schema Framework: a Compliance Finding for each standard and for each check.

https://schema.ocsf.io/1.5.0/classes/compliance_finding
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from chalicelib.alarm_path.check_registry import registered
from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Status
from chalicelib.aws.arns import parse_arn
from chalicelib.destinations.ocsf import VERSION as SCHEMA_VERSION
from chalicelib.destinations.ocsf import Document
from sgwatch.audit_findings import placed_findings
from sgwatch.frameworks import frameworks_of
from sgwatch.version import VERSION

CLASS_UID = 2003
_NAME = "Compliance Finding"
# What could not be established: "did not yield a result due to missing information".
# https://schema.ocsf.io/1.5.0/objects/compliance
_STATUSES = {Status.PASS: (1, "Pass"), Status.FAIL: (3, "Fail"), Status.UNKNOWN: (2, "Warning")}
_SEVERITIES = {Status.PASS: (1, "Informational"), Status.FAIL: (4, "High"), Status.UNKNOWN: (3, "Medium")}


def events(report: Report) -> Iterator[Document]:
    """An event for each standard's answer, then one for each finding."""
    for name, status in report.standards.items():
        standard = Standard(name)
        controls = [item.words for item in frameworks_of(standard)]
        account = {"type": "AWS account", "uid": report.account_id}
        title = f"{standard.words}: {status.value}"
        yield {
            **_base(report, status, name, title, standard.words, f"standard/{name}"),
            "compliance": {"control": name, "standards": controls, **_status(status)},
            "resources": [account],
        }
    seen: Counter[str] = Counter()
    for finding, paths in placed_findings(report):
        check = registered(finding.check)
        standards = [item.words for name in check.standards for item in frameworks_of(name)]
        seed = "/".join((finding.check, finding.subject, *paths))
        seen[seed] += 1
        resource = {"uid": finding.subject, "type": check.link.value, "region": _region(finding.subject)}
        yield {
            **_base(report, finding.status, finding.check, finding.reason, finding.reason, f"{seed}/{seen[seed]}"),
            "compliance": {
                "control": finding.check,
                "desc": f"Fails when {check.fails}." if check.fails else f"Unknown when {check.unknown}.",
                "standards": standards,
                **_status(finding.status),
            },
            "resources": [{name: value for name, value in resource.items() if value}],
            **({"remediation": {"desc": finding.fix}} if finding.fix and finding.status is not Status.PASS else {}),
            "unmapped": {"paths": list(paths)},
        }


def _base(report: Report, status: Status, control: str, title: str, description: str, seed: str) -> Document:
    severity_id, severity = _SEVERITIES[status]
    moment = _milliseconds(report.checked_at)
    uid = hashlib.sha256(f"{report.account_id}/{seed}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return {
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": _NAME,
        "type_uid": CLASS_UID * 100 + 1,
        "type_name": f"{_NAME}: Create",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "status_code": status.value,
        "time": moment,
        "message": title,
        "metadata": {
            "version": SCHEMA_VERSION,
            "event_code": control,
            "product": {"name": "sgwatch", "vendor_name": "sgwatch", "version": VERSION},
            "profiles": ["cloud"],
            "logged_time": _milliseconds(datetime.now(UTC)),
        },
        "cloud": {
            "provider": "AWS",
            "account": {
                "uid": report.account_id,
                "name": report.account_id,
                "type": "AWS Account",
                "type_id": 10,
            },
        },
        "finding_info": {
            "uid": uid,
            "title": title,
            "desc": description,
            "types": [control],
            "created_time": moment,
        },
    }


def _status(status: Status) -> Document:
    status_id, words = _STATUSES[status]
    return {"status_id": status_id, "status": words}


def _region(subject: str) -> str | None:
    arn = parse_arn(subject)
    return arn.region or None if arn else None


def _milliseconds(moment: datetime) -> int:
    return max(0, int(moment.timestamp() * 1000))
