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


# The least contrast of a text with what is behind it, and whose: https://www.w3.org/TR/WCAG22/#contrast-minimum
CONTRAST = """(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = color => color.slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const color = rgb(getComputedStyle(node).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  for (const node of document.body.querySelectorAll("*")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, node.className + ": " + node.textContent.slice(0, 60)];
  }
  return worst;
})()"""


def test_a_slack_thread_is_one_card_that_shows_its_latest_state(page: Browser, cloud: LocalCloud) -> None:
    api, headers = f"{cloud.inbox_url}/slack/api/", {"Authorization": "Bearer xoxb-1"}

    def call(method: str, text: str, **more: object) -> str:
        body = {"channel": "C0THREADS", "text": text, **more}
        return str(requests.post(api + method, json=body, headers=headers, timeout=5).json()["ts"])

    ts = call("chat.postMessage", "CRITICAL: tcp/22 opened in a thread")
    time.sleep(1.05)
    call("chat.postMessage", "LOW: tcp/22 closed", thread_ts=ts)
    send(cloud, "something else", "low")
    call("chat.update", "CRITICAL: closed by dora after 4 min", ts=ts)
    card = "[...document.querySelectorAll('article')].find(each => each.textContent.includes('closed by dora'))"
    assert page.wait_for(f"{card} !== undefined", 5) is not None
    assert page.evaluate(f"{card}.querySelector('h3').textContent") == "CRITICAL: closed by dora after 4 min"
    assert page.evaluate(f"{card}.querySelector('.replies').textContent") == "1 reply"
    assert page.evaluate(f"{card}.querySelector('.reply').checkVisibility()") is False
    page.evaluate(f"{card}.querySelector('h3 button').click()")
    assert page.evaluate(f"{card}.querySelector('.reply').checkVisibility()") is True
    assert (
        page.evaluate(
            "[...document.querySelectorAll('h3')].filter(each => each.textContent.includes('tcp/22 closed')).length"
        )
        == 0
    )


def test_messages_are_searched_filtered_and_counted(page: Browser, cloud: LocalCloud) -> None:
    send(cloud, "tcp/3306 opened for the search", "medium")
    assert page.wait_for("document.querySelector('article h3')?.textContent.includes('3306')", 5) is not None
    shown = "[...document.querySelectorAll('article')].filter(each => !each.hidden).length"
    page.evaluate("document.getElementById('search').value = 'SEARCH 3306'; filter()")
    assert page.evaluate(shown) == 1
    assert page.evaluate("document.getElementById('count').textContent").startswith("1 of ")
    page.evaluate("document.getElementById('severity').value = 'critical'; filter()")
    assert page.evaluate(shown) == 0
    assert page.evaluate("document.getElementById('none').checkVisibility()") is True
    page.evaluate(
        "document.getElementById('search').value = ''; document.getElementById('severity').value = ''; filter()"
    )


def test_twenty_messages_are_on_one_screen_and_every_text_has_contrast(page: Browser, cloud: LocalCloud) -> None:
    for number in range(20):
        send(cloud, f"tcp/{number} opened", ("critical", "high", "medium", "low", "info")[number % 5])
    assert page.wait_for("document.querySelector('article h3')?.textContent == 'tcp/19 opened'", 5) is not None
    page.look(width=1280)
    rows = "[...document.querySelectorAll('article')]"
    assert page.evaluate(f"{rows}.filter(each => each.getBoundingClientRect().bottom <= innerHeight).length") >= 20
    for width, dark in ((1280, False), (1280, True), (390, False), (390, True)):
        page.look(width=width, dark=dark)
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, where
    page.look()


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


def test_the_inbox_is_cleared(page: Browser, cloud: LocalCloud) -> None:
    send(cloud, "to be cleared", "low")
    assert page.wait_for("document.querySelector('article h3')?.textContent == 'to be cleared'", 5) is not None
    page.evaluate("document.getElementById('clear').click()")
    assert page.wait_for(f"{ARTICLES} === 0", 5) is not None
    assert requests.get(f"{cloud.inbox_url}/messages", timeout=5).json() == []
    send(cloud, "after that", "low")
    assert page.wait_for(f"{ARTICLES} === 1", 5) is not None
