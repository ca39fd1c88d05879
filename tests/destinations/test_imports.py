"""Nothing of a destination that is not configured is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.settings.kinds import KINDS, DestinationKind
from sgwatch.previews import sample_settings

SCRIPT = """
import json, sys
from chalicelib.functions.composition.alerting import builder_of, assemble
from chalicelib.settings.environment import read_settings
from chalicelib.destinations.contract import Tools
from chalicelib.destinations.http_door import HttpDoor
settings = read_settings(json.loads(sys.argv[1]))
assemble(settings)
(configured,) = settings.destinations
builder_of(configured.kind)(configured.name, configured.values, Tools(HttpDoor(), lambda *_: None))
print(" ".join(sorted(sys.modules)))
"""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_a_kind_imports_no_other_kind_and_no_sdk(kind: DestinationKind) -> None:
    arguments = [sys.executable, "-c", SCRIPT, json.dumps(sample_settings(kind))]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    loaded = set(done.stdout.split())
    assert kind.module in loaded
    assert loaded & {other.module for other in KINDS if other is not kind} == set()
    assert loaded & {"boto3", "botocore", "jmespath", "requests", "chalicelib.destinations.slack_bot"} == set()
    assert loaded & {"chalicelib.destinations.ocsf", "chalicelib.destinations.cloudevents"} == set()
