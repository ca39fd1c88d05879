"""The HTML report: self-contained, and nothing in a record becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from chalicelib.alert.model import Alert, Severity
from chalicelib.security_groups.unknowns import other
from sgwatch.report import page
from sgwatch.report.chart import timeline
from tests.support.alerts import HOSTILE
from tests.support.alerts import critical_open_ssh as one_rule

NASTY = HOSTILE + "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>"


class Tags(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def shape(text: str) -> list[tuple[str, frozenset[str]]]:
    return [(tag, frozenset(attributes)) for tag, attributes in Tags(text).tags]


def hostile(alert: Alert, text: str) -> Alert:
    assert alert.principal
    assert alert.security_group
    return replace(
        alert,
        title=text,
        principal=alert.principal._replace(name=text, session_name=text, role=text, permission_set=None),
        security_group=replace(alert.security_group, id=text, name=text, description=text),
        unknowns=(other(text),),
        exposures=tuple(item._replace(reason=text) for item in alert.exposures),
    )


def test_hostile_text_adds_no_tag_and_no_attribute() -> None:
    assert shape(page([hostile(one_rule(), NASTY)])) == shape(page([hostile(one_rule(), "harmless")]))


def test_nothing_is_fetched_and_only_the_own_script_may_run() -> None:
    text = page([one_rule()])
    assert "default-src 'none'" in text
    assert not [tag for tag, attributes in Tags(text).tags if "src" in attributes or tag == "link"]
    assert not re.search(r"\son\w+=", text)
    assert text.count("<script") == 1


def test_every_alert_is_in_the_page_with_what_the_filters_read() -> None:
    alerts = [one_rule(), replace(one_rule(), severity=Severity.LOW)]
    found = [attributes for tag, attributes in Tags(page(alerts)).tags if tag == "details"]
    assert [item["data-severity"] for item in found] == [alert.severity for alert in alerts]
    assert all(item["data-principal"] and item["data-group"] for item in found)


def test_undo_commands_stand_in_the_page_as_they_are() -> None:
    alert = one_rule()
    assert alert.undo.commands
    text = page([alert])
    assert alert.undo.commands[0].replace("'", "&#x27;").replace('"', "&quot;") in text


def test_the_chart_counts_every_alert_once_whatever_the_span() -> None:
    start = datetime(2026, 11, 23, 10, tzinfo=UTC)
    for span in (timedelta(0), timedelta(seconds=90), timedelta(hours=30), timedelta(days=90), timedelta(days=4000)):
        alerts = [replace(one_rule(), occurred_at=start + span * step / 4) for step in range(5)]
        chart = timeline(alerts)
        counted = sum(int(number) for number in re.findall(r"(\d+) (?:critical|high|medium|low|info)", chart))
        assert counted == 5
        assert chart.count("<g>") <= 73


def test_a_page_without_alerts_or_without_times_is_made() -> None:
    assert "0 alerts" in page([])
    assert "no times in the records" in page([replace(one_rule(), occurred_at=None)])
