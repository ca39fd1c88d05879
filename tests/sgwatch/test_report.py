"""The HTML report: self-contained, nothing in a record becomes markup, and what it shows is what was replayed."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from chalicelib.alert.model import Alert, Severity
from chalicelib.security_groups.unknowns import other
from sgwatch.replay_report.alert_csv import COLUMNS, rows
from sgwatch.replay_report.chart import timeline
from sgwatch.replay_report.evidence import Evidence, evidence
from sgwatch.replay_report.page import page
from tests.support.alerts import HOSTILE
from tests.support.alerts import critical_open_ssh as one_rule
from tests.support.browser import CHROMIUM, Browser, chromium

NASTY = HOSTILE + "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def made(alerts: Sequence[Alert], source: Evidence | None = None) -> str:
    return page(alerts, source or Evidence(NOW, "0.2.0"))


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


def packed(text: str, name: str) -> Any:
    found = re.search(rf'<script type="application/octet-stream" id="{name}">([^<]*)</script>', text)
    assert found
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


def hostile(alert: Alert, text: str) -> Alert:
    assert alert.principal
    assert alert.security_group
    return alert._replace(
        title=text,
        principal=alert.principal._replace(name=text, session_name=text, role=text, permission_set=None),
        security_group=alert.security_group._replace(id=text, name=text, description=text),
        unknowns=(other(text),),
        exposures=tuple(item._replace(reason=text) for item in alert.exposures),
    )


def test_hostile_text_adds_no_tag_and_no_attribute() -> None:
    harmful, harmless = (made([hostile(one_rule(), text)]) for text in (NASTY, "harmless"))
    assert shape(harmful) == shape(harmless)
    assert shape(packed(harmful, "details-0")[0]) == shape(packed(harmless, "details-0")[0])


def test_nothing_is_fetched_and_only_the_own_script_may_run() -> None:
    text = made([one_rule()])
    assert "default-src 'none'" in text
    assert not [tag for tag, attributes in Tags(text).tags if "src" in attributes or tag == "link"]
    assert not re.search(r"\son\w+=", text)
    scripts = [attributes for tag, attributes in Tags(text).tags if tag == "script"]
    assert [item for item in scripts if item.get("type") != "application/octet-stream"] == [{}]


def test_every_alert_is_in_the_page_with_what_the_filters_read() -> None:
    alerts = [one_rule(), one_rule()._replace(severity=Severity.LOW)]
    columns = packed(made(alerts), "columns")
    assert [list(Severity)[rank] for rank in columns["severity"]] == [alert.severity for alert in alerts]
    assert columns["title"] == [alert.title for alert in alerts]
    assert {len(columns[name]) for name in ("time", "principal", "group")} == {2}
    assert len(packed(made(alerts), "details-0")) == 2


def test_undo_commands_stand_in_the_details_as_they_are() -> None:
    alert = one_rule()
    assert alert.undo.commands
    text = packed(made([alert]), "details-0")[0]
    assert alert.undo.commands[0].replace("'", "&#x27;").replace('"', "&quot;") in text


def test_paper_gets_what_is_critical_or_high_and_not_all() -> None:
    text = made([one_rule()] * 60 + [one_rule()._replace(severity=Severity.LOW)])
    assert "What is critical or high: 40 of 60" in text
    assert text.count("<article") == 40


def test_the_chart_counts_every_alert_once_whatever_the_span() -> None:
    start = datetime(2026, 11, 23, 10, tzinfo=UTC)
    for span in (timedelta(0), timedelta(seconds=90), timedelta(hours=30), timedelta(days=90), timedelta(days=4000)):
        alerts = [one_rule()._replace(occurred_at=start + span * step / 4) for step in range(5)]
        chart = timeline(alerts)
        labels = re.findall(r'aria-label="\d[^"]*"', chart)
        counted = sum(int(number) for label in labels for number in re.findall(r"(\d+) (?:critical|high)", label))
        assert counted == 5
        assert chart.count("<button") <= 73


def test_a_page_without_alerts_or_without_times_is_made() -> None:
    assert "0 alerts" in made([])
    assert "no times in the records" in made([one_rule()._replace(occurred_at=None)])


def test_a_day_without_a_file_of_a_region_is_a_gap(tmp_path: Path) -> None:
    days = {"eu-west-1": ("20261121", "20261122", "20261123"), "us-east-1": ("20261121", "20261123")}
    files = []
    for region, listed in days.items():
        for day in listed:
            file = tmp_path / f"123456789012_CloudTrail_{region}_{day}T1000Z_abc.json.gz"
            file.write_bytes(b"x")
            files.append(str(file))
    found = evidence(files, [], "0.2.0", NOW)
    assert found.accounts == ("123456789012",)
    assert found.gaps == ((date(2026, 11, 22), "us-east-1"),)
    text = made([one_rule()], found)
    assert "us-east-1 2026-11-22" in text
    assert "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" in text  # SHA-256 of "x"


def test_files_whose_names_say_no_day_leave_gaps_unknown() -> None:
    assert "gaps are not known" in made([one_rule()], evidence(["-"], ["a.json: not JSON"], "0.2.0", NOW))


def test_the_table_has_a_row_for_each_alert_and_no_formula() -> None:
    alerts = [one_rule(), hostile(one_rule(), "=HYPERLINK(1)")]
    read = list(csv.reader(io.StringIO("".join(rows(alerts)))))
    assert read[0] == list(COLUMNS)
    assert len(read) == 3
    assert read[2][COLUMNS.index("title")] == "'=HYPERLINK(1)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium here")
    with chromium() as opened:
        yield opened


def many(count: int) -> list[Alert]:
    start, severities = datetime(2026, 1, 1, tzinfo=UTC), list(Severity)
    return [
        one_rule()._replace(
            id=f"id-{number}",
            occurred_at=start + timedelta(minutes=7 * number),
            severity=severities[number % 5],
            title=f"change {number}",
        )
        for number in range(count)
    ]


def test_the_list_is_filtered_sorted_opened_and_kept_in_the_address(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(made(many(700)))
    browser.open(f"file://{path}#severity=critical&sort=oldest")
    assert browser.wait_for("document.body.dataset.ready === 'true'", 20) is not None
    assert browser.evaluate("document.querySelector('output').value") == "140 of 700 alerts"
    assert browser.evaluate("document.querySelector('#list .title').textContent") == "change 4"
    browser.evaluate("document.querySelector('#list summary').click()")
    opened = "document.querySelector('#list .inside')?.textContent.includes('Undo')"
    assert browser.wait_for(opened, 20) is not None
    browser.evaluate("document.querySelector('.chart button').click()")
    assert browser.evaluate("location.hash.includes('from=')")
    assert [url for url in browser.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_first_filter_is_reached_in_three_tabs(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(made(many(5)))
    browser.open(f"file://{path}")
    assert browser.wait_for("document.body.dataset.ready === 'true'", 20) is not None
    for _ in range(3):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        if browser.evaluate("document.activeElement.closest('form') !== null"):
            return
    pytest.fail("no filter within three tabs")
