from __future__ import annotations

import pytest

from chalicelib.alert.build import alert_of
from chalicelib.alert.model import with_note
from chalicelib.rendering.plain_text import plain_text
from chalicelib.rendering.sections import (
    Circumstances,
    Diff,
    Links,
    NotKnown,
    Paragraph,
    Reasons,
    WayBack,
    sections,
)
from tests.support import records as r
from tests.support.alerts import SAMPLES

ORDER = (Paragraph, Diff, Reasons, WayBack, Circumstances, NotKnown, Links)


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_alert_has_its_sections_in_the_one_order(sample: str) -> None:
    places = [ORDER.index(type(part)) for part in sections(SAMPLES[sample]())]
    assert places == sorted(places)


@pytest.mark.parametrize("record", [r.authorize(r.world()), r.authorize(r.world(), errorCode=r.DENIED)])
def test_no_reason_and_no_call_is_said_twice(record: r.Json) -> None:
    alert = alert_of(record)
    said = " ".join(plain_text(alert).split())
    assert said.count(alert.exposures[0].reason) == 1
    assert said.count(str(alert.event.name)) == 1 + alert.exposures[0].reason.count(str(alert.event.name))


def test_a_note_is_shown_before_the_diff() -> None:
    alert = with_note(alert_of(r.authorize(r.world())), "Delivered late by 90 s.")
    assert next(sections(alert)) == Paragraph("Delivered late by 90 s.")
    assert alert.summary.startswith("Delivered late by 90 s. ")


def test_the_summary_of_an_alert_without_a_record_is_shown() -> None:
    alert = SAMPLES["trial"]()._replace(summary="Nothing changed.")
    assert Paragraph("Nothing changed.") in list(sections(alert))
