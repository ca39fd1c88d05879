"""Metrics in CloudWatch's embedded metric format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from chalicelib.observability import metrics
from chalicelib.observability.metrics import Metrics
from tests.support.rows import every

UNITS = ("Seconds", "Milliseconds", "Bytes", "Percent", "Count", "None")
TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
# What AWS's specification demands of a document, in our own words:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "additionalProperties": False,
                        "properties": {
                            "Namespace": TEXT,
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "array", "maxItems": 9, "items": TEXT},
                            },
                            "Metrics": {
                                "type": "array",
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "additionalProperties": False,
                                    "properties": {"Name": TEXT, "Unit": {"enum": list(UNITS)}},
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}
NAMES = [
    value for name, value in vars(metrics).items() if name.isupper() and isinstance(value, str) and name != "NAMESPACE"
]


def emitted(name: str, value: float, destination: str | None) -> dict[str, Any]:
    written: list[str] = []
    Metrics("sgwatch-dev-alert_on_change", written.append, clock=lambda: 1_795_341_600.5).emit(name, value, destination)
    (line,) = written
    assert "\n" not in line
    document: dict[str, Any] = json.loads(line)
    return document


@every("destination", [None, "slack.secops"])
@every("name", NAMES)
def test_every_metric_is_valid_and_its_references_exist(name: str, destination: str | None) -> None:
    document = emitted(name, 2.5, destination)
    Draft202012Validator(SCHEMA).validate(document)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "sgwatch"
    assert document[directive["Metrics"][0]["Name"]] == 2.5
    assert all(isinstance(document[key], str) for keys in directive["Dimensions"] for key in keys)
    assert document["_aws"]["Timestamp"] == 1_795_341_600_500


def test_a_destinations_metric_also_counts_over_all_destinations() -> None:
    (directive,) = emitted(metrics.ALERTS_SENT, 1, "slack")["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Function"], ["Function", "Destination"]]


def test_seconds_are_seconds_and_the_rest_are_counts() -> None:
    def unit(name: str) -> str:
        found: str = emitted(name, 1, None)["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"]
        return found

    assert unit(metrics.SECONDS_TO_DELIVERY) == "Seconds"
    assert unit(metrics.ALERTS_SENT) == "Count"


def test_the_documentation_has_every_metric() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text()
    assert [name for name in NAMES if f"| `{name}` |" not in page] == []
