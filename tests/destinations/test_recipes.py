"""The recipes of docs/destinations.md, each against a receiver that has the service's documented form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.destinations.contract import DeliveryError, Receipt, Tools
from chalicelib.destinations.http_door import HttpDoor
from chalicelib.destinations.webhook import build
from localcloud.inbox import Inbox
from localcloud.receivers import application
from localcloud.receivers.recipes import CHECKS
from localcloud.servers import HttpServer
from tests.support.alerts import SAMPLES, critical_open_ssh
from tests.support.destinations import FakeAws, built
from tests.support.receiver import Answer

PAGE = (Path(__file__).parents[2] / "docs" / "destinations.md").read_text()
LINES = re.findall(r"^    (WEBHOOK__\w+)=(.*)$", PAGE, re.MULTILINE)
RECIPES = {
    name: {variable: value for variable, value in LINES if variable.startswith(f"WEBHOOK__{name}__")}
    for name in dict.fromkeys(variable.split("__")[1] for variable, _ in LINES)
}


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def base(inbox: Inbox) -> Iterator[str]:
    server = HttpServer.start(application(inbox))
    yield server.url
    server.stop()


def test_every_receiver_has_its_recipe_in_the_docs() -> None:
    assert {name.lower() for name in RECIPES} == set(CHECKS)


@pytest.mark.parametrize("name", RECIPES)
def test_the_service_takes_what_the_recipe_makes_of_every_alert(name: str, base: str, inbox: Inbox) -> None:
    environ = {**RECIPES[name], f"WEBHOOK__{name}__URL": f"{base}/recipes/{name.lower()}"}
    destination = built(environ, FakeAws(Answer()), HttpDoor(2, 2))
    for make in SAMPLES.values():
        assert isinstance(destination.send(make()), Receipt)
    assert inbox.messages(name.lower(), accepted=None) == inbox.messages(name.lower())


def test_a_template_that_makes_nothing_of_an_alert_fails_for_good(base: str) -> None:
    environ = {"WEBHOOK_URL": f"{base}/webhook/x", "WEBHOOK_TEMPLATE": "security_group.owner"}
    with pytest.raises(DeliveryError, match="WEBHOOK_TEMPLATE makes no object or list") as caught:
        built(environ, FakeAws(Answer())).send(critical_open_ssh())
    assert caught.value.permanent


def test_a_header_s_value_may_be_a_reference(base: str, inbox: Inbox) -> None:
    values = {"URL": f"{base}/recipes/datadog", "FORMAT": "alert", "HEADERS": "DD-API-KEY: ssm:/sgwatch/prod/datadog"}
    looked_up: list[str] = []

    def secret(value: str) -> str:
        looked_up.append(value)
        return "hush"

    tools = Tools(HttpDoor(2, 2), FakeAws(Answer()), secret=secret)
    build("webhook", {**values, "TEMPLATE": "{title: title, text: title}"}, tools).send(critical_open_ssh())
    assert looked_up == ["ssm:/sgwatch/prod/datadog"]
    assert len(inbox.messages("datadog")) == 1
