"""Durable delivery as it is used: set up, deployed by the real Chalice, its policies in force in the local cloud."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.state.state_table import StateTable
from localcloud import LocalCloud
from localcloud.awkward.awkwardness import MILD
from localcloud.deploy import deploy
from localcloud.receivers.webhook import SECRET
from sgwatch import durable_setup
from sgwatch.durable_mending import differences
from sgwatch.durable_template import StagePlace

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")]


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(awkwardness=MILD) as running, tempfile.TemporaryDirectory() as folder:
        place = StagePlace("dev", "aws", running.region, running.account_id)
        config = Path(folder) / "config.json"
        config.write_text((ROOT / ".chalice" / "config.json").read_text())
        clients: dict[str, Any] = {}

        def client(service: str) -> Any:
            return clients.setdefault(service, running.client(service))

        assert durable_setup.run(place, client, config, yes=True) == 1
        durable = json.loads(config.read_text())["stages"]["dev"]["environment_variables"]
        variables = {**durable, "WEBHOOK_URL": running.webhook_url, "WEBHOOK_SECRET": SECRET}
        deploy(ROOT, Path(folder), running.environment(), variables=variables)
        assert durable_setup.run(place, client, config, yes=True) == 0
        assert list(differences(place, client)) == []
        yield running


def until(found: Callable[[], Any], seconds: float = 40.0) -> Any:
    """What is found, as soon as it is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def arrived(cloud: LocalCloud) -> list[dict[str, Any]]:
    """The alerts that the webhook has got."""
    return [message.payload for message in cloud.inbox.messages("webhook")]


def test_a_change_goes_through_the_queue_and_arrives_once(cloud: LocalCloud) -> None:
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    critical = until(lambda: [alert for alert in arrived(cloud) if alert["severity"] == "critical"])
    assert [alert["security_group"]["id"] for alert in critical] == [group]
    # The ledger is written after the destination has answered, and other alerts may still be on their way.
    until(lambda: ledger_states(cloud) == {"delivered"})


def ledger_states(cloud: LocalCloud) -> set[str]:
    items = cloud.client("dynamodb").scan(TableName="sgwatch-dev-state")["Items"]
    return {item["state"]["S"] for item in items if item["pk"]["S"].startswith("delivery#")}


def test_the_alert_of_an_event_is_kept_so_that_its_id_is_enough_to_undo_it(
    cloud: LocalCloud,
) -> None:
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="kept", Description="d")["GroupId"]
    table = StateTable(lambda: cloud.client("dynamodb"), "sgwatch-dev-state")
    created = [record for record in cloud.records if record["eventName"] == "CreateSecurityGroup"][-1]
    (kept,) = until(lambda: AlertArchive(table, lambda: datetime.now(UTC)).of_event(created["eventID"]))
    assert kept.undo.commands == (f"aws ec2 delete-security-group --region {cloud.region} --group-id {group}",)
