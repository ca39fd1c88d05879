"""A forwarder in a second region of the local cloud: what it brings, and how a broken one is found."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from localcloud import LocalCloud
from tests.support.local import Alert, alert_in, sgwatch

OTHER = "us-east-1"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")]
FORWARDER = "sgwatch-dev-forward-changes"


@pytest.fixture(scope="module")
def fleet(deployed: LocalCloud) -> LocalCloud:
    """A stage to which one other region of its account forwards."""
    done = sgwatch(deployed, "fleet", "deploy", "--stage", "dev", "--regions", OTHER, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{OTHER}: created" in done.stdout
    return deployed


def alerts_of(cloud: LocalCloud, act: Callable[[], object]) -> list[Alert]:
    before = len(cloud.inbox.messages("webhook"))
    act()
    assert cloud.wait_until_idle()
    return [alert_in(item.payload) for item in cloud.inbox.messages("webhook")[before:]]


def test_a_change_in_another_region_makes_one_alert_with_its_region(fleet: LocalCloud) -> None:
    ec2 = fleet.client("ec2", region=OTHER)
    made = alerts_of(fleet, lambda: ec2.create_security_group(GroupName="elsewhere", Description="d"))
    assert [(alert["account"]["id"], alert["region"]) for alert in made] == [(fleet.account_id, OTHER)]


def test_a_disabled_forwarder_is_found_and_so_are_regions_without_one(fleet: LocalCloud) -> None:
    fleet.client("events", region=OTHER).disable_rule(Name=FORWARDER)
    done = sgwatch(fleet, "fleet", "status", "--stage", "dev", "--json")
    states = {row["region"]: row["forwarder"] for row in json.loads(done.stdout)["regions"]}
    assert (done.returncode, states.pop(fleet.region), states.pop(OTHER)) == (1, "home", "disabled")
    assert set(states.values()) == {"missing"}
