"""A local cloud for a module of tests, and the AWS CLI talking to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.aws.read_calls import AwsReader
from chalicelib.enrichment.lookups import Lookups
from localcloud.awkward.awkwardness import MILD
from localcloud.cloud import LocalCloud
from tests.enrichment.world import World
from tests.support.shell_aws import AwsShell


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    """An empty AWS on loopback."""
    with LocalCloud(awkwardness=MILD) as running:
        yield running


@pytest.fixture(scope="module")
def shell(cloud: LocalCloud) -> Iterator[AwsShell]:
    """The AWS CLI, talking to it."""
    running = AwsShell(cloud.environment())
    yield running
    running.close()


@pytest.fixture(scope="module")
def world(cloud: LocalCloud, shell: AwsShell) -> World:
    """A VPC to make groups in."""
    return World(cloud, shell)


@pytest.fixture
def lookups(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Lookups:
    """Look-ups in the local cloud."""
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    return Lookups(AwsReader(timeout=10), account_names={cloud.account_id: "local"}, timeout=10)
