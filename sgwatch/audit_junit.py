"""The audit as JUnit XML, which CI servers draw: a suite of the standards, one of each path, one of what is on none.

A failed check is a failure, an unknown one an error: it could not be established.
https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from chalicelib.alarm_path.report import Report
from chalicelib.alarm_path.standards import Standard
from chalicelib.alarm_path.verdicts import Finding, Status
from chalicelib.text import visible
from sgwatch.audit_findings import path_label

_NOT_PASSED = {Status.FAIL: "failure", Status.UNKNOWN: "error"}


def document_of(*reports: Report) -> str:
    """The XML document; where it is of several accounts, the suites' names begin with theirs."""
    root = Element("testsuites", name="sgwatch audit")
    suites = [
        suite
        for report in reports
        for suite in _suites(root, report, f"{report.account_id} " if len(reports) > 1 else "")
    ]
    _count(root, [case for suite in suites for case in suite.iter("testcase")])
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suites(root: Element, report: Report, account: str) -> Iterator[Element]:
    yield _standards(root, report, f"{account}standards")
    for number, path in enumerate(report.paths, start=1):
        yield _findings(root, report, f"{account}path {number}: {path_label(path)}", path.findings)
    if report.findings:
        yield _findings(root, report, f"{account}outside any path", report.findings)


def _standards(root: Element, report: Report, name: str) -> Element:
    suite = _suite(root, report, name)
    for standard, status in report.standards.items():
        _case(suite, standard, report.account_id, status, Standard(standard).words, None)
    _count(suite, suite.iter("testcase"))
    return suite


def _findings(root: Element, report: Report, name: str, findings: Iterable[Finding]) -> Element:
    suite = _suite(root, report, name)
    for finding in findings:
        _case(suite, finding.check, finding.subject, finding.status, finding.reason, finding.fix)
    _count(suite, suite.iter("testcase"))
    return suite


def _suite(root: Element, report: Report, name: str) -> Element:
    moment = report.checked_at.strftime("%Y-%m-%dT%H:%M:%S")
    return SubElement(root, "testsuite", name=visible(name), timestamp=moment, time="0")


def _case(suite: Element, check: str, subject: str, status: Status, reason: str, fix: str | None) -> None:
    """Characters that XML cannot hold are written out: names are chosen by others."""
    case = SubElement(suite, "testcase", classname=f"sgwatch.{check}", name=visible(f"{check}: {subject}"), time="0")
    if status in _NOT_PASSED:
        outcome = SubElement(case, _NOT_PASSED[status], message=visible(reason), type=status.value)
        outcome.text = visible(f"fix: {fix}") if fix else None


def _count(element: Element, cases: Iterable[Element]) -> None:
    listed = list(cases)
    element.set("tests", str(len(listed)))
    for tag, name in (("failure", "failures"), ("error", "errors")):
        element.set(name, str(sum(case.find(tag) is not None for case in listed)))
