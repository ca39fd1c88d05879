"""Records on which an earlier version was wrong or silent, each with what an alert of it has to say."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import Alert, AlertKind, Severity
from chalicelib.cloudtrail.catalog import EventGroup
from chalicelib.security_groups.rules import SecurityGroupRule
from sgwatch.replaying import Tally, itself, replay
from tests.support.unknowns import sentences

CASES = Path(__file__).parents[1] / "data" / "cases"
Check = Callable[[Sequence[Alert]], bool]


def alerts_of(name: str) -> list[Alert]:
    return list(replay([str(CASES / f"{name}.json")], EventGroup, Tally(), itself, make=alert_of))


def only(severity: Severity, check: Callable[[Alert], bool]) -> Check:
    return lambda alerts: len(alerts) == 1 and alerts[0].severity is severity and check(alerts[0])


def said(alert: Alert, *words: str) -> bool:
    return any(all(word in sentence for word in words) for sentence in sentences(alert.unknowns))


def reasons(alert: Alert) -> str:
    return " ".join(exposure.reason for exposure in alert.exposures)


def after(alert: Alert) -> tuple[str, ...] | None:
    assert alert.attachment is not None
    return alert.attachment.groups_after


def services(rules: Sequence[SecurityGroupRule]) -> list[tuple[Any, ...]]:
    return [(rule.protocol, rule.from_port, rule.to_port, rule.peer.value) for rule in rules]


EXPECTED: dict[str, Check] = {
    "B-parameter-nlb-privatelink-enforcement-off": only(Severity.MEDIUM, lambda alert: "PrivateLink" in reasons(alert)),
    "B-parameter-prefix-list-ipam-sync-on": only(
        Severity.MEDIUM, lambda alert: "IPAM" in alert.title and "adds no public range" not in reasons(alert)
    ),
    "C-silent-eni-request-form": lambda alerts: after(alerts[0]) == ("sg-0bbb000000000001",),
    "C-silent-instance-other-key": lambda alerts: after(alerts[0]) == ("sg-0bbb000000000001",),
    "D-sibling-unknown-peer-beside-known": only(Severity.HIGH, lambda alert: said(alert, "fqdnRanges")),
    "E-unsaid-no-identity": only(Severity.LOW, lambda alert: said(alert, "who made the call", "may have been root")),
    "F-network-activity-authorize": lambda alerts: not alerts,
    "G-addendum-updated-data": only(Severity.LOW, lambda alert: alert.changes.added[0].id == "sgr-0aaa000000000001"),
    "L-attachment-json-denied-groups-after": only(Severity.MEDIUM, lambda alert: after(alert) is None),
    "N-same-id-placeholder-ids": lambda alerts: (
        [alert.severity for alert in alerts] == [Severity.LOW, Severity.CRITICAL]
    ),
    "O-lookup-item-stripped": only(
        Severity.HIGH, lambda alert: alert.kind is AlertKind.NOT_UNDERSTOOD and "DeleteTrail" in alert.title
    ),
    "P-catalog-groups-classic-elb": lambda alerts: after(alerts[0]) == ("sg-0bbb000000000007",),
    "P-catalog-groups-ipam-target": only(Severity.MEDIUM, lambda alert: "IPAM" in alert.title),
    "Q-outcome-error-dash": only(Severity.CRITICAL, lambda alert: len(alert.changes.added) == 1),
    "R-source-group-authorize-no-answer": only(
        Severity.LOW,
        lambda alert: (
            services(alert.changes.added) == [("tcp", 0, 65535, "lb"), ("udp", 0, 65535, "lb"), ("icmp", -1, -1, "lb")]
        ),
    ),
    "Z-right-barndoor": only(Severity.CRITICAL, lambda alert: alert.title.startswith("All traffic")),
    "Z-right-config-remediation": only(Severity.LOW, lambda alert: len(alert.changes.removed) == 1),
    "Z-right-devops-agent": only(Severity.MEDIUM, lambda alert: said(alert, "direction", "judged as ingress")),
    "Z-right-eks-delete-in-use": only(Severity.INFO, lambda alert: alert.title.startswith("Failed")),
    "Z-right-lbc-denied-revoke": only(
        Severity.MEDIUM, lambda alert: alert.changes.attempted[0].description is not None
    ),
    "Z-right-lbc-revoke-shared": only(Severity.LOW, lambda alert: alert.changes.removed[0].description is not None),
    "Z-right-odd-world-leading-zero": only(Severity.HIGH, lambda alert: "cannot be read" in reasons(alert)),
    "Z-right-prefix-list-answer": only(Severity.MEDIUM, lambda alert: alert.changes.added[0].id is not None),
    "Z-right-rule-moved": lambda alerts: len(alerts) == 2,
    "Z-right-sso-console": only(
        Severity.MEDIUM,
        lambda alert: (
            alert.principal is not None
            and (alert.principal.name, alert.principal.permission_set, alert.principal.client)
            == ("dana@example.com", "PlatformAdmin", "console")
        ),
    ),
    "Z-right-v4-and-v6": only(Severity.HIGH, lambda alert: len(alert.changes.added) == 2),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_case_that_went_wrong_is_right(name: str) -> None:
    alerts = alerts_of(name)
    assert EXPECTED[name](alerts), [(alert.severity, alert.title, alert.unknowns) for alert in alerts]


def test_every_case_has_its_right_value() -> None:
    assert sorted(EXPECTED) == sorted(path.stem for path in CASES.glob("*.json"))
    assert all(json.loads(path.read_text()) for path in CASES.glob("*.json"))
