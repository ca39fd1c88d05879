"""The status of a fleet: asked as each account with one set of clients, and shown as a page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chalicelib.alarm_path.checks.forwarders import ForwarderFault, ForwarderState, ForwarderVerdict
from chalicelib.alarm_path.verdicts import Status
from chalicelib.aws.account_clients import AccountClients, NotAssumed
from chalicelib.aws.clients import AwsClients
from chalicelib.aws.member_role import MemberRole
from sgwatch.fleet_html import FleetPage, page
from sgwatch.fleet_status import FleetRow, not_assumed

ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>KEY{account}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t{account}</SessionToken>
<Expiration>2026-12-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
DENIED = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
EMPTY = "<DescribeSecurityGroupsResponse><securityGroupInfo/>{more}</DescribeSecurityGroupsResponse>"
PEOPLE = {"111122223333": "shop <prod>", "210987654321": ""}


class _Aws(BaseHTTPRequestHandler):
    seen: list[tuple[str, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key = self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
        action = body.partition("Action=")[2].partition("&")[0]
        self.seen.append((key, action))
        status, text = 200, EMPTY.format(more="" if "NextToken" in body else "<nextToken>more</nextToken>")
        if action == "AssumeRole":
            account = body.partition("iam%3A%3A")[2][:12]
            status, text = (403, DENIED) if account == "999999999999" else (200, ASSUMED.format(account=account))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[AccountClients, list[tuple[str, str]]]]:
    """Clients of an AWS that notes who asked what."""
    seen: list[tuple[str, str]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Aws,), {"seen": seen}))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    yield AccountClients(AwsClients(attempts=2), "eu-west-1"), seen
    server.shutdown()
    server.server_close()


ROLE = MemberRole("sgwatch-prod-read", "stage:prod")


def test_each_accounts_calls_are_signed_for_it_whatever_other_threads_ask(
    aws: tuple[AccountClients, list[tuple[str, str]]],
) -> None:
    accounts, seen = aws
    factories = {account: accounts.member(account, ROLE) for account in PEOPLE}
    together = threading.Barrier(len(PEOPLE))

    def ask(account: str) -> None:
        ec2 = factories[account]("ec2", "us-east-1")
        together.wait()
        for _ in ec2.get_paginator("describe_security_groups").paginate():
            together.wait()
        ec2.describe_security_groups()

    with ThreadPoolExecutor() as pool:
        list(pool.map(ask, PEOPLE))
    asked = [key for key, action in seen if action == "DescribeSecurityGroups"]
    assert {key: asked.count(key) for key in asked} == {f"KEY{account}": 3 for account in PEOPLE}
    assert [key for key, action in seen if action == "AssumeRole"] == ["OWN"] * 2, "no account assumes another's role"


def test_accounts_share_a_client_of_each_service_and_region(aws: tuple[AccountClients, list[tuple[str, str]]]) -> None:
    accounts, _ = aws
    one, other = (accounts.member(account, ROLE)("ec2", "us-east-1") for account in PEOPLE)
    assert one.client is other.client
    assert one.meta is other.meta
    assert not hasattr(one, "no_such_call")


def test_a_role_that_is_refused_is_named_with_awss_answer(aws: tuple[AccountClients, list[tuple[str, str]]]) -> None:
    with pytest.raises(NotAssumed) as refused:
        aws[0].member("999999999999", ROLE)
    assert refused.value.code == "AccessDenied"
    assert str(refused.value).startswith("AssumeRole: AccessDenied: no")


@pytest.mark.parametrize("name", ["sgwatch-prod-read", "arn:aws:iam::{account}:role/sgwatch-prod-read"])
def test_a_role_is_named_alone_or_by_an_arn(name: str) -> None:
    assert MemberRole(name, "x").arn("111122223333") == "arn:aws:iam::111122223333:role/sgwatch-prod-read"


def _row(account_id: str, region: str, state: ForwarderState = ForwarderState.OK) -> FleetRow:
    faults = () if state is ForwarderState.OK else (ForwarderFault(state, "r", f"rule r is {state} <now>"),)
    return FleetRow(account_id, region, ForwarderVerdict(state, faults), None, 3, 0)


def test_the_page_has_a_line_for_each_account_and_says_what_is_wrong_where() -> None:
    rows = [
        FleetRow("123456789012", "eu-west-1", None, security_groups=2),
        _row("111122223333", "eu-west-1"),
        _row("111122223333", "us-east-1", ForwarderState.DISABLED),
        not_assumed("210987654321", "AccessDenied"),
    ]
    shown = page(FleetPage("prod", "eu-west-1", datetime(2026, 12, 1, tzinfo=UTC), PEOPLE), rows)
    matrix, _, rest = shown.partition("<h2>What is wrong (2)</h2>")
    cells = [line.count("<td") for line in matrix.split("<tr>")[2:]]
    assert cells == [2, 2, 1], "of an account that could not be asked there is one wide cell"
    assert "⌂" in matrix
    assert "sts:AssumeRole: AccessDenied" in matrix
    assert "rule r is disabled &lt;now&gt;" in rest
    assert "shop &lt;prod&gt; (111122223333)" in rest
    assert "<prod>" not in shown
    assert [row.status for row in rows] == [Status.PASS, Status.PASS, Status.FAIL, Status.UNKNOWN]
