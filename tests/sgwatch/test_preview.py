"""``sgwatch preview`` and the gallery: every kind of destination, in every format, without sending anything."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chalicelib.alert.build import alert_of
from chalicelib.settings.environment import read_settings
from chalicelib.settings.kinds import KINDS, DestinationKind
from sgwatch.__main__ import build
from sgwatch.commands.preview import EXAMPLE
from sgwatch.docs import DOCS, gallery, gallery_page
from sgwatch.previews import previews, sample_settings


def preview(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(build(["preview"]), ["preview", *arguments])
    return result.exit_code, result.stdout


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_the_examples_of_every_kind_are_sound_settings(kind: DestinationKind) -> None:
    forms = next((item.choices for item in kind.fields if item.name == "FORMAT"), ())
    for form in (None, *forms):
        (destination,) = read_settings(sample_settings(kind, form)).destinations
        assert destination.kind == kind.key


def test_every_kind_and_format_is_shown_with_the_alert_in_it() -> None:
    shown = list(previews(alert_of(EXAMPLE)))
    assert {item.kind for item in shown} == set(KINDS)
    assert {"SNS (text)", "SNS (json)", "SNS (chatbot)", "Webhook (ocsf)"} <= {item.label for item in shown}
    for item in shown:
        assert "sg-0a1b2c3d4e5f60718" in json.dumps(item.payload, default=str)


def test_one_kind_may_be_asked_for_as_json() -> None:
    status, out = preview("--destination", "teams", "--json")
    assert status == 0
    assert list(json.loads(out)) == ["Microsoft Teams"]


def test_a_record_of_one_s_own_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(json.dumps({"Records": [{**EXAMPLE, "eventID": "of-my-own"}]}))
    status, out = preview(str(file), "--destination", "pagerduty", "--json")
    assert status == 0
    assert json.loads(out)["PagerDuty"]["dedup_key"] == "security_group_change-of-my-own"


@pytest.mark.parametrize("arguments", [("--destination", "telex"), ("no-such-file.json",)])
def test_what_is_not_known_ends_with_status_2(arguments: tuple[str, ...]) -> None:
    assert preview(*arguments)[0] == 2


def test_the_gallery_is_up_to_date() -> None:
    assert (DOCS / "gallery.md").read_text() == gallery(), "run `make docs`"
    assert (DOCS / "alert-gallery.html").read_text() == gallery_page(), "run `make docs`"


def test_the_gallery_page_loads_nothing_and_no_payload_ends_its_script() -> None:
    page = gallery_page()
    assert not re.findall(r"(?:src|href)=[\"']", page.split("<script", maxsplit=1)[0])
    assert page.count("</script>") == 2
    assert page.count("<main>") == 1
