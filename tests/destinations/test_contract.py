"""What every destination promises, each against a real server (SNS: against a client's real errors)."""

from __future__ import annotations

import logging
import pkgutil
import re
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from chalicelib import destinations
from chalicelib.alert.model import Alert
from chalicelib.destinations.contract import DeliveryError, Destination, Receipt
from chalicelib.destinations.http_door import is_permanent
from chalicelib.settings.kinds import KINDS, DestinationKind
from localcloud.receivers import BY_AWS, SERVICES
from tests.support.alerts import SAMPLES, critical_open_ssh, hostile
from tests.support.destinations import PATH, ROWS, SECRET
from tests.support.receiver import Answer, Receiver, receiver
from tests.support.rows import every

DOCS = Path(__file__).parents[2] / "docs" / "destinations.md"
Make = Callable[[Receiver], Destination]
OVER_HTTP = [name for name, row in ROWS.items() if row.over_http]
OVER_AWS = [name for name, row in ROWS.items() if not row.over_http]


@pytest.fixture(params=ROWS)
def make(request: pytest.FixtureRequest) -> Make:
    return ROWS[str(request.param)].make


@pytest.fixture(params=OVER_HTTP)
def make_over_http(request: pytest.FixtureRequest) -> Make:
    return ROWS[str(request.param)].make


def test_no_kind_of_destination_is_left_out_of_this_suite() -> None:
    rows, kinds = {row.kind for row in ROWS.values()}, {kind.key for kind in KINDS}
    assert sorted(kinds - rows) == [], "no row in ROWS of tests/support/destinations.py"
    assert sorted(rows - kinds) == [], "no row in KINDS of chalicelib/settings/kinds.py"


def test_no_module_that_builds_a_destination_is_left_out_of_the_kinds() -> None:
    modules = {f"{destinations.__name__}.{item.name}" for item in pkgutil.iter_modules(destinations.__path__)}
    built = {name for name in modules if hasattr(import_module(name), "build")}
    assert sorted(built - {kind.module for kind in KINDS}) == [], "no row in KINDS of chalicelib/settings/kinds.py"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_every_form_of_a_kind_has_a_row_and_every_way_to_address_it(kind: DestinationKind) -> None:
    rows = [row.settings("https://example.com") for row in ROWS.values() if row.kind == kind.key]
    used = {(variable.rpartition("__")[2], value) for row in rows for variable, value in row.items()}
    for item in kind.fields:
        for form in re.findall(r"`(\w+)`", item.meaning) if item.name == "FORMAT" else ():
            in_use = form == item.default or (kind.variable("FORMAT"), form) in used or ("FORMAT", form) in used
            assert in_use, f"no row in ROWS of tests/support/destinations.py has {kind.variable('FORMAT')}={form}"
    for needed in kind.needs:
        assert any(
            {kind.variable(field) for field in needed} <= set(row)
            or set(needed) <= {variable.rpartition("__")[2] for variable in row}
            for row in rows
        ), f"no row in ROWS of tests/support/destinations.py sets {', '.join(map(kind.variable, needed))}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_every_kind_has_a_receiver_in_the_local_cloud(kind: DestinationKind) -> None:
    played = {*BY_AWS, *(name for service in SERVICES for name in service.KINDS)}
    assert kind.key in played, f"no module in SERVICES of localcloud/receivers plays {kind.key}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_every_kind_has_a_module_that_builds_it_and_a_section_in_the_docs(kind: DestinationKind) -> None:
    assert callable(import_module(kind.module).build)
    sections = re.findall(r"^## (.+)$", DOCS.read_text(), re.MULTILINE)
    assert kind.title in sections, f"no section “{kind.title}” in docs/destinations.md"


def failure(destination: Destination, alert: Alert) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        destination.send(alert)
    return caught.value


@every("sample", SAMPLES)
def test_it_returns_a_receipt_for_what_was_taken(make: Make, inbox: Receiver, sample: str) -> None:
    assert isinstance(make(inbox).send(SAMPLES[sample]()), Receipt)


def test_it_delivers_an_alert_whose_every_text_is_hostile(make: Make, inbox: Receiver) -> None:
    assert isinstance(make(inbox).send(hostile()), Receipt)


@every("status", [300, 302, 304, 307, 400, 401, 403, 404, 405, 408, 409, 410, 413, 422, 425, 429])
def test_it_takes_the_table_of_statuses_for_client_errors(make: Make, inbox: Receiver, status: int) -> None:
    inbox.will(Answer(status, b""))
    assert failure(make(inbox), critical_open_ssh()).permanent is is_permanent(status)


@every("status", [500, 501, 502, 503, 504, 529])
def test_a_server_error_is_worth_a_retry(make: Make, inbox: Receiver, status: int) -> None:
    inbox.will(Answer(status, b""))
    assert not failure(make(inbox), critical_open_ssh()).permanent


def test_a_failure_shows_the_status(make_over_http: Make, inbox: Receiver) -> None:
    inbox.will(Answer(418, b"short and stout"))
    assert failure(make_over_http(inbox), critical_open_ssh()).reason == "it answered HTTP 418"


@every("status", [429, 503])
def test_it_hands_on_how_long_to_wait(make_over_http: Make, inbox: Receiver, status: int) -> None:
    inbox.will(Answer(status, b"", {"Retry-After": "30"}))
    error = failure(make_over_http(inbox), critical_open_ssh())
    assert (error.permanent, error.retry_after) == (False, 30.0)


def test_a_permanent_failure_asks_for_no_wait(make_over_http: Make, inbox: Receiver) -> None:
    inbox.will(Answer(404, b"", {"Retry-After": "30"}))
    assert failure(make_over_http(inbox), critical_open_ssh()).retry_after is None


def test_it_sends_once_and_leaves_retrying_to_others(make_over_http: Make, inbox: Receiver) -> None:
    inbox.will(Answer(503, b""))
    failure(make_over_http(inbox), critical_open_ssh())
    assert len(inbox.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, PATH.encode()),
        Answer(500, PATH.encode()),
        Answer(302, b"", {"Location": PATH}),
        Answer(hang=True),
        Answer(garbage=True),
    ],
)
def test_no_error_log_or_repr_shows_the_secrets(
    make_over_http: Make, inbox: Receiver, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    inbox.will(answer)
    destination = make_over_http(inbox)
    error = failure(destination, critical_open_ssh())
    assert error.__context__ is None
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(destination) + caplog.text
    assert "XYZZY" not in told
    assert SECRET not in told
    assert inbox.url not in told


def test_a_dead_server_is_worth_a_retry(make_over_http: Make) -> None:
    with receiver() as gone:
        destination = make_over_http(gone)
    error = failure(destination, critical_open_ssh())
    assert (error.reason, error.permanent) == ("the connection was refused", False)


@pytest.mark.parametrize("name", OVER_AWS)
@pytest.mark.parametrize(
    "raised",
    [
        EndpointConnectionError(endpoint_url="https://sns.example.com/XYZZY"),
        ReadTimeoutError(endpoint_url="https://sns.example.com/XYZZY"),
        NoCredentialsError(),
        RuntimeError("XYZZY"),
    ],
)
def test_what_keeps_an_aws_client_from_calling_is_worth_a_retry(inbox: Receiver, name: str, raised: Exception) -> None:
    def client(*_: object) -> object:
        raise raised

    error = failure(ROWS[name].make(inbox, client), critical_open_ssh())
    assert error.reason.endswith(f" could not be called: {type(raised).__name__}")
    assert not error.permanent
    assert error.__context__ is None
    assert "XYZZY" not in "".join(traceback.format_exception(error))
