"""Log lines: JSON, bound fields, and never a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from chalicelib.observability.logs import MASK, Log, Redactor

URL = "https://example.com/services/T0000/very-secret-token?key=1"


def lines(log_level: str = "info", secrets: tuple[str, ...] = ()) -> tuple[Log, list[str]]:
    written: list[str] = []
    return Log(Redactor(secrets), log_level, written.append), written


def only(written: list[str]) -> dict[str, Any]:
    (line,) = written
    assert "\n" not in line
    document: dict[str, Any] = json.loads(line)
    return document


def test_a_line_is_one_json_object_with_what_is_bound() -> None:
    log, written = lines()
    log.bind(event_id="e-1", account="123456789012", region="eu-west-1").warning("delivery failed", permanent=False)
    document = only(written)
    assert document.pop("timestamp").endswith("Z")
    assert document == {
        "event": "delivery failed",
        "level": "warning",
        "event_id": "e-1",
        "account": "123456789012",
        "region": "eu-west-1",
        "permanent": False,
    }


def test_binding_leaves_the_log_it_came_from_alone() -> None:
    log, written = lines()
    log.bind(event_id="e-1")
    log.info("alert sent")
    assert "event_id" not in only(written)


def test_lines_below_the_level_are_not_written() -> None:
    log, written = lines("warning")
    log.debug("a")
    log.info("b")
    assert written == []
    log.error("c")
    assert only(written)["event"] == "c"


def test_hostile_text_cannot_split_a_line() -> None:
    log, written = lines()
    log.info("alert sent", name='a\nb\r\u2028{"event":"forged"}\x1b[31m')
    assert only(written)["name"] == 'a\nb\r\u2028{"event":"forged"}\x1b[31m'
    assert written[0].isascii()
    assert written[0].isprintable()


@pytest.mark.parametrize(
    "text",
    [
        URL,
        f"failed: {URL} refused",
        "Max retries exceeded with url: /services/T0000/very-secret-token?key=1",
        "https://hooks.slack.com/services/T1/B2/never-configured",
        "HOOKS.SLACK-GOV.COM/services/T1/very-secret-token",
    ],
)
@pytest.mark.parametrize("wrap", [str, lambda text: [text], lambda text: {"deep": {text: (text,)}}, ValueError])
def test_no_secret_is_ever_in_a_line(text: str, wrap: Any) -> None:
    log, written = lines(secrets=(URL,))
    log.bind(bound=wrap(text)).info(f"phrase {text}", field=wrap(text))
    assert MASK in written[0]
    assert "very-secret-token" not in written[0].replace("slack-gov", "")
    assert "never-configured" not in written[0]


def test_no_secret_is_in_a_traceback() -> None:
    log, written = lines(secrets=(URL,))
    try:
        raise ValueError(URL)  # noqa: TRY301
    except ValueError:
        log.error("delivery failed", exc_info=True)  # noqa: G201
    assert "ValueError" in only(written)["exception"]
    assert "very-secret-token" not in written[0]


def test_a_secret_learned_later_is_masked_from_then_on() -> None:
    redactor = Redactor()
    redactor.add("whsec_abcdefgh")
    assert redactor.text("it is whsec_abcdefgh") == f"it is {MASK}"


def test_a_very_short_secret_does_not_mask_half_the_log() -> None:
    assert Redactor(("a",)).text("alert sent") == "alert sent"


def test_structlog_is_not_imported_before_the_first_line() -> None:
    code = (
        "import sys; from chalicelib.observability.logs import Log, Redactor; log = Log(Redactor()); log.debug('x');"
        "assert 'structlog' not in sys.modules; log.info('y'); assert 'structlog' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, stdout=subprocess.DEVNULL)
