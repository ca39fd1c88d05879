"""An organization's AWS on loopback: the calls of ``fleet status`` and ``audit --organization``, answered at once.

What an answer says differs between the stage's own account and the members, and by region where it has to; its bytes
are made once. One request in ``THROTTLED`` is refused first, so that it has to be made again.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model

from chalicelib.cloudtrail.catalog import DEFAULT_WATCH
from chalicelib.deployment import Stage, forwarder_rules
from localcloud.aws_error import AwsError
from localcloud.calls import SERVICE_OF_SIGNING_NAME
from tests.support import alarm_paths

OWN = alarm_paths.ACCOUNT
HOME = "eu-west-1"
# Those that are enabled in every account without opting in.
# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
REGIONS = (
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    *("ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
)
PAGE = 20  # accounts that ListAccounts gives at once
THROTTLED = 40
STAGE = Stage("sgwatch-dev-")
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
_OPERATION = re.compile(rb"(?:^|&)Action=(\w+)")
# The access keys that AssumeRole gives here.
_KEY = re.compile(r"AKIA(\d{12})")
Output = dict[str, Any]
# Status, headers, body.
Answer = tuple[int, list[tuple[str, str]], bytes]


def member(number: int) -> str:
    """The id of an account."""
    return OWN if number == 0 else f"{200_000_000_000 + number}"


class AskedCall(NamedTuple):
    """What an answer depends on; ``named`` is the account in the request, ``first`` where its page begins."""

    account_id: str
    region: str
    named: str
    first: int
    accounts: int

    @property
    def is_home_of_trail(self) -> bool:
        """Whether the log group and the alarm are there."""
        return self.account_id == OWN and self.region == alarm_paths.REGION


def _targets(asked: AskedCall) -> Output:
    bus = "default" if asked.account_id == OWN else "sgwatch-dev-fleet"
    return {"Targets": [{"Id": "bus", "Arn": f"arn:aws:events:{HOME}:{OWN}:event-bus/{bus}"}]}


def _credentials(asked: AskedCall) -> Output:
    key = {"AccessKeyId": f"AKIA{asked.named}", "SecretAccessKey": "s", "SessionToken": "t"}
    return {"Credentials": key | {"Expiration": datetime(2030, 1, 1, tzinfo=UTC)}}


def _accounts(asked: AskedCall) -> Output:
    end = min(asked.first + PAGE, asked.accounts)
    numbers = range(asked.first, end)
    listed = [{"Id": member(each), "Name": f"account {each}", "State": "ACTIVE"} for each in numbers]
    return {"Accounts": listed} | ({"NextToken": str(end)} if end < asked.accounts else {})


def _rules(_: AskedCall) -> Output:
    rules = forwarder_rules(STAGE, DEFAULT_WATCH)
    return {
        "Rules": [{"Name": name, "State": "ENABLED", "EventPattern": json.dumps(each)} for name, each in rules.items()]
    }


def _trail(_: AskedCall) -> Output:
    trail = alarm_paths.trail(IsOrganizationTrail=True)
    return {"trailList": [{key: trail[key] for key in trail if key not in ("Status", "EventSelectors")}]}


def _trail_status(_: AskedCall) -> Output:
    now = datetime.now(UTC)
    times = dict.fromkeys(("StartLoggingTime", "LatestDeliveryTime", "LatestCloudWatchLogsDeliveryTime"), now)
    return {"IsLogging": True, **times}


def _where_the_trail_is(key: str, item: Output) -> Callable[[AskedCall], Output]:
    return lambda asked: {key: [item]} if asked.is_home_of_trail else {}


def _subscription(*, attributes: bool) -> Output:
    (found,) = alarm_paths.topic()["Subscriptions"]
    return found["Attributes"] if attributes else {key: found[key] for key in found if key != "Attributes"}


def _queue(asked: AskedCall) -> Output:
    return {"QueueUrl": f"https://sqs.{asked.region}.amazonaws.com/{asked.account_id}/{STAGE.forwarder_queue}"}


# What is not listed is answered with nothing.
OUTPUTS: Mapping[str, Callable[[AskedCall], Output]] = {
    "GetCallerIdentity": lambda asked: {"Account": asked.account_id, "Arn": f"arn:aws:iam::{asked.account_id}:user/o"},
    "AssumeRole": _credentials,
    "DescribeOrganization": lambda _: {"Organization": {"Id": "o-exampleorg", "MasterAccountId": OWN}},
    "ListAccounts": _accounts,
    "DescribeRegions": lambda _: {"Regions": [{"RegionName": each} for each in REGIONS]},
    "DescribeSecurityGroups": lambda _: {"SecurityGroups": [{"GroupId": f"sg-{each:08x}"} for each in range(20)]},
    "ListRules": _rules,
    "ListTargetsByRule": _targets,
    "GetQueueUrl": _queue,
    "GetQueueAttributes": lambda _: {"Attributes": {"ApproximateNumberOfMessages": "0"}},
    "DescribeTrails": _trail,
    "GetTrailStatus": _trail_status,
    "GetEventSelectors": lambda _: dict(alarm_paths.trail()["EventSelectors"]),
    "DescribeLogGroups": _where_the_trail_is("logGroups", alarm_paths.Account().group),
    "DescribeMetricFilters": _where_the_trail_is("metricFilters", alarm_paths.metric_filter()),
    "DescribeAlarms": _where_the_trail_is("MetricAlarms", alarm_paths.alarm()),
    "GetTopicAttributes": lambda _: {"Attributes": alarm_paths.topic()["Attributes"]},
    "ListSubscriptionsByTopic": lambda _: {"Subscriptions": [_subscription(attributes=False)]},
    "GetSubscriptionAttributes": lambda _: {"Attributes": _subscription(attributes=True)},
}


class _OrganizationAnswers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    accounts = 1
    known: dict[tuple[str, ...], Answer] = {}  # noqa: RUF012 - one server
    throttled = 0
    served = 0
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = _CREDENTIAL.search(self.headers["Authorization"])
        assert found is not None
        key, region, signing_name = found.groups()
        service = SERVICE_OF_SIGNING_NAME.get(signing_name, signing_name)
        in_key = _KEY.fullmatch(key)
        account_id = in_key.group(1) if in_key else OWN
        asked = AskedCall(account_id, region, _account_in(body), int(_token_in(body) or 0), self.accounts)
        status, headers, answer = self._answer(service, self._operation(body), asked)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815 - http.server's name

    def _operation(self, body: bytes) -> str:
        if target := self.headers.get("X-Amz-Target"):
            return target.rpartition(".")[2]
        found = _OPERATION.search(body)
        return found.group(1).decode() if found else self.path.rpartition("/")[2]

    def _answer(self, service: str, operation: str, asked: AskedCall) -> Answer:
        with self.lock:
            type(self).served += 1
            if self.served % THROTTLED == 0:
                type(self).throttled += 1
                return _serialized(service, operation, AwsError("ThrottlingException", "Rate exceeded"))
            own = "own" if asked.account_id == OWN else "member"
            apart = asked.account_id if operation in ("GetCallerIdentity", "GetQueueUrl") else own
            key = (service, operation, apart, asked.region, str(asked.first), asked.named)
            if key not in self.known:
                output = OUTPUTS[operation](asked) if operation in OUTPUTS else {}
                self.known[key] = _serialized(service, operation, output)
            return self.known[key]

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _token_in(body: bytes) -> str:
    with suppress(ValueError):
        return str(json.loads(body).get("NextToken", ""))
    return ""


def _account_in(body: bytes) -> str:
    found = re.search(rb"iam%3A%3A(\d{12})", body)
    return found.group(1).decode() if found else ""


def _serialized(service: str, operation: str, result: Output | Exception) -> Answer:
    model = get_service_model(service)
    serializer: Any = get_serializer_class(service, model.resolved_protocol)(
        operation_model=model.operation_model(operation), context=SerializationContext("00000000")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a code that every service has and none lists
        made = serializer.serialize(result)
    body = made["body"]
    raw = body.encode() if isinstance(body, str) else body
    return made["status_code"], list(made["headers"].items()), raw


class _AnswerServer(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def main(accounts: int) -> None:
    """Print the port, answer until standard input ends, and print what that took."""
    _OrganizationAnswers.accounts = accounts
    server = _AnswerServer(("127.0.0.1", 0), _OrganizationAnswers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps([_OrganizationAnswers.served, _OrganizationAnswers.throttled, used.ru_utime + used.ru_stime]),
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
