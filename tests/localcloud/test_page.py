"""The inbox page in a real browser, where there is one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from localcloud import LocalCloud
from tests.support.browser import CHROMIUM, Browser, chromium

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")
ARTICLES = "document.querySelectorAll('article').length"


@pytest.fixture(scope="module")
def page(cloud: LocalCloud) -> Iterator[Browser]:
    with chromium() as browser:
        browser.open(cloud.inbox_url)
        browser.look()
        assert browser.wait_for("document.getElementById('state').className == 'live'", 10) is not None
        yield browser


def send(cloud: LocalCloud, title: str, severity: str, **more: object) -> None:
    alert = {"title": title, "severity": severity, **more}
    assert requests.post(cloud.webhook_url, json=alert, timeout=5).status_code == 200


def test_a_critical_alert_is_on_the_page_within_a_second(page: Browser, cloud: LocalCloud) -> None:
    began = time.monotonic()
    send(cloud, "tcp/22 opened", "critical")
    assert page.wait_for("document.querySelector('article.critical h3')?.textContent == 'tcp/22 opened'", 5)
    assert time.monotonic() - began < 1


def test_the_newest_is_on_top(page: Browser, cloud: LocalCloud) -> None:
    send(cloud, "older", "low")
    send(cloud, "newer", "high")
    assert page.wait_for("document.querySelector('article h3')?.textContent == 'newer'", 5) is not None


def test_the_diff_and_the_raw_payload_are_shown(page: Browser, cloud: LocalCloud) -> None:
    rule = {
        "direction": "ingress",
        "protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "peer": {"value": "0.0.0.0/0"},
        "description": None,
    }
    changes = {"added": [rule], "removed": [], "modified": [], "attempted": []}
    send(cloud, "with a diff", "critical", changes=changes)
    assert page.wait_for("document.querySelector('article h3')?.textContent == 'with a diff'", 5) is not None
    assert page.evaluate("document.querySelector('article pre .plus').textContent") == "+ ingress tcp/22 0.0.0.0/0"
    assert page.evaluate("document.querySelector('article details').open") is False
    page.evaluate("document.querySelector('article summary').click()")
    assert "with a diff" in page.evaluate("document.querySelector('article details pre').innerText")


def test_what_an_attacker_writes_stays_text(page: Browser, cloud: LocalCloud) -> None:
    hostile = "<img src=x onerror=\"document.title='owned'\">"
    text = f"{hostile} <javascript:document.title='owned'|click> ```{hostile}```"
    payload = {"text": "hostile", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}
    assert requests.post(cloud.slack_url, json=payload, timeout=5).text == "ok"
    assert page.wait_for("document.querySelector('article .who')?.textContent == 'Slack'", 5) is not None
    assert page.evaluate("document.querySelectorAll('article img').length") == 0
    assert page.evaluate("document.querySelectorAll('article a[href^=javascript]').length") == 0
    assert page.evaluate("document.title") == "sgwatch: local inbox"


def test_slack_s_markup_is_drawn_as_slack_draws_it(page: Browser, cloud: LocalCloud) -> None:
    text = "*bold* _slanted_ `mono` <https://example.com/x|a link> <!date^1767225600^{date}|then> ```+ in\n- out```"
    payload = {"text": "markup", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}
    time.sleep(1.05)
    assert requests.post(cloud.slack_url, json=payload, timeout=5).text == "ok"
    assert page.wait_for("document.querySelector('article strong')?.textContent == 'bold'", 5) is not None
    first = "document.querySelector('article')"
    assert page.evaluate(f"{first}.querySelector('em').textContent") == "slanted"
    assert page.evaluate(f"{first}.querySelector('a').href") == "https://example.com/x"
    assert "2026" in page.evaluate(f"{first}.querySelector('.block time').textContent")
    assert page.evaluate(f"{first}.querySelector('pre .minus').textContent") == "- out"


def test_it_fits_a_phone_and_follows_the_color_scheme(page: Browser) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    page.look(width=390)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    light = page.evaluate(background)
    page.look(width=390, dark=True)
    assert page.evaluate(background) != light
    page.look()


def test_no_request_leaves_loopback(page: Browser, cloud: LocalCloud) -> None:
    page.evaluate("1")
    assert page.requests
    assert [url for url in page.requests if not url.startswith(cloud.inbox_url)] == []
