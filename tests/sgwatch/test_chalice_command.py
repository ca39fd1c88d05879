"""``chalice deploy`` is run again where AWS asks for it, each time after a longer pause, and not for ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sgwatch.chalice_command import ChaliceError, chalice_deploy

SLOWED = [
    "Updating lambda function: sgwatch-dev-deliver",
    "An error occurred (TooManyRequestsException) when calling the DeleteFunctionConcurrency operation: Rate exceeded",
]
REFUSED = ["An error occurred (AccessDenied) when calling the CreateRole operation: not authorized"]


class Chalice:
    """Ends with each of these outputs in turn, and at last well."""

    def __init__(self, *failures: list[str]) -> None:
        self.left = list(failures)
        self.pauses: list[float] = []

    def run(self, project: Path, stage: str, environment: Mapping[str, str]) -> tuple[int, list[str]]:
        assert (project.name, stage, environment["AWS_REGION"]) == ("project", "dev", "eu-west-1")
        return (1, self.left.pop(0)) if self.left else (0, [])

    def deploy(self, folder: Path) -> None:
        chalice_deploy(folder / "project", "dev", {"AWS_REGION": "eu-west-1"}, sleep=self.pauses.append, run=self.run)


def test_what_passes_by_itself_is_waited_for_ever_longer(tmp_path: Path) -> None:
    chalice = Chalice(*[SLOWED] * 4)
    chalice.deploy(tmp_path)
    assert chalice.pauses == [10.0, 20.0, 40.0, 80.0]


def test_what_does_not_pass_ends_with_what_chalice_said(tmp_path: Path) -> None:
    chalice = Chalice(*[SLOWED] * 5)
    with pytest.raises(ChaliceError, match="TooManyRequestsException"):
        chalice.deploy(tmp_path)
    assert chalice.left == []


def test_any_other_failure_is_not_tried_again(tmp_path: Path) -> None:
    chalice = Chalice(REFUSED)
    with pytest.raises(ChaliceError, match="AccessDenied"):
        chalice.deploy(tmp_path)
    assert chalice.pauses == []
