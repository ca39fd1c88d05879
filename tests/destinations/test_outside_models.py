"""Webhook bodies against other projects' models of the same formats."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from py_ocsf_models.events.findings.detection_finding import DetectionFinding

from chalicelib.alert.model import to_json
from chalicelib.destinations import cloudevents, ocsf
from chalicelib.destinations.http_door import encode_json
from tests.support.alerts import SAMPLES, hostile

NOW = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
MAKERS = {**SAMPLES, "hostile": hostile}


@pytest.mark.parametrize("sample", MAKERS)
def test_a_cloudevent_is_read_by_the_cloudevents_sdk(sample: str) -> None:
    alert = MAKERS[sample]()
    message = HTTPMessage({"content-type": cloudevents.CONTENT_TYPE}, encode_json(cloudevents.event(alert)))
    event = from_structured_event(message)
    assert event.get_type() == f"sgwatch.alert.v1.{alert.kind}"
    assert event.get_data() == to_json(alert)


@pytest.mark.parametrize("sample", MAKERS)
def test_a_detection_finding_is_one_to_py_ocsf_models(sample: str) -> None:
    document = ocsf.event(MAKERS[sample](), NOW)
    if document["class_uid"] == 2004:
        assert DetectionFinding.model_validate(document).message == document["message"]
