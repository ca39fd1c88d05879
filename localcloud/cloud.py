"""The local cloud: everything put together, started and stopped as one.

    with LocalCloud() as cloud:
        cloud.client("ec2").create_security_group(GroupName="web", Description="d")
        cloud.wait_until_idle()
        cloud.records[-1]["eventName"]

Only one runs in a process at a time: moto's state is the process's own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections import deque
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config

# Read by moto when it is used: thousands of machine images would take half a second.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
# Its minute cannot be shortened; localcloud.awkward has one of its own.
os.environ.setdefault("MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR", "false")

from moto.core.base_backend import BackendDict
from moto.core.config import default_user_config
from moto.core.model_instances import reset_model_data

from localcloud import metric_filters, receivers, trails
from localcloud.addresses import with_environment
from localcloud.alarm_engine import AlarmEngine, PatternMatches, chain
from localcloud.awkward.awkwardness import NONE, Awkwardness
from localcloud.awkward.traits import Traits
from localcloud.callers import ACCOUNT_ID, Callers, Credentials
from localcloud.endpoint import Endpoint, FunctionActions
from localcloud.eventbridge import EventBus, event_of
from localcloud.functions.deliveries import Deliveries
from localcloud.functions.invoke_api import InvokeApi
from localcloud.functions.older_sdk import write_models
from localcloud.functions.package import link_runtime, make_writable
from localcloud.functions.pool import FunctionPool, LogLine
from localcloud.identities import Identities
from localcloud.inbox import Inbox, InboxMessage
from localcloud.inbox_page import page_application
from localcloud.other_accounts import TrustPolicies
from localcloud.queues import QueuePoller
from localcloud.schedules import Schedules
from localcloud.servers import HttpServer
from localcloud.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.calls import ApiRequest

REGION = "eu-west-1"
KEPT_RECORDS = 10_000


class LocalCloud:
    """An AWS on loopback, with CloudTrail and EventBridge wired up, running functions and receivers.

    ``pattern_matches`` says whether a metric filter's pattern matches a record; ``on_record`` is called
    every CloudTrail record. With ``enforce_iam`` every user and role that IAM holds is limited to its
    policies; functions always are. ``aws_managed_policies`` has AWS's own policies in IAM, such as
    AdministratorAccess, which takes a second. ``awkwardness`` is what AWS does and moto does not; :attr:`traits`
    changes it while the cloud runs.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        inbox_port: int = 0,
        region: str = REGION,
        enforce_iam: bool = True,
        aws_managed_policies: bool = False,
        awkwardness: Awkwardness = NONE,
        pattern_matches: PatternMatches = metric_filters.pattern_matches,
        on_record: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.region = region
        self.account_id = ACCOUNT_ID
        self.records: deque[dict[str, Any]] = deque(maxlen=KEPT_RECORDS)
        self.inbox = Inbox()
        self._ports = (port, inbox_port)
        self._on_record = on_record
        self._aws_managed_policies = aws_managed_policies
        self._undo = ExitStack()
        self._session = boto3.session.Session()
        self._making_client = threading.Lock()
        self._clients: dict[tuple[str, str, Credentials, str | None, str | None], Any] = {}
        self._called_at: dict[str, datetime] = {}
        self._servers: list[HttpServer] = []
        self._callers = Callers()
        self.traits = Traits(awkwardness)
        self._endpoint = Endpoint(self._callers, self._on_call, enforce_iam=enforce_iam, traits=self.traits)
        self._alarms = AlarmEngine(self._endpoint.lock, pattern_matches)
        self.identities = Identities(self._callers, self._endpoint.lock)

    def start(self) -> Self:
        """Listen on loopback; returns itself."""
        if not _RUNNING.acquire(blocking=False):
            raise RuntimeError("a local cloud is running in this process already; stop it first")
        self._undo.callback(_RUNNING.release)
        self._undo.callback(_reset_moto)
        _reset_moto()  # whatever else used moto in this process may have left something
        try:
            self._build(Path(tempfile.mkdtemp(prefix="sgwatch-local-")))
            self._listen()
        except BaseException:  # Ctrl-C too: __exit__ is not called where __enter__ raises
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End every process, socket and file; the state is gone."""
        self._undo.close()

    def _build(self, folder: Path) -> None:
        self._undo.callback(_remove, folder)
        default_user_config["iam"] = {"load_aws_managed_policies": self._aws_managed_policies}
        lock, lacking = self._endpoint.lock, self.traits.awkwardness.sdk_lacks
        self.functions = FunctionPool(
            root=folder / "functions",
            runtime=link_runtime(folder / "runtime"),
            endpoint=lambda: self.endpoint,
            lock=lock,
            on_log=self._log,
            on_credentials=self._callers.add_function,
            data_path=write_models(folder / "models", lacking) if lacking else None,
        )
        self.deliveries = Deliveries(self.functions, lambda: self.endpoint)
        self.events = EventBus(self.deliveries, lock)
        self.schedules = Schedules(self.events, self._alarms.tick)
        self.queues = QueuePoller(self.deliveries, lock)
        self.topics = Topics(self.inbox, self.deliveries, lock, lambda: self.inbox_url)
        self._endpoint.answers |= {
            ("events", "PutEvents"): self.events.put_events,
            ("events", "TestEventPattern"): self.events.try_pattern,
            ("sns", "ConfirmSubscription"): self.topics.confirm_call,
            ("cloudtrail", "LookupEvents"): self._look_up_events,
        }
        self._endpoint.amendments |= {
            ("sns", "Subscribe"): self.topics.subscribed,
            ("sns", "Unsubscribe"): self.topics.recount,
        }
        self._endpoint.wrappers["cloudwatch", "SetAlarmState"] = self._alarms.state_set
        self._endpoint.wrappers["sts", "AssumeRole"] = TrustPolicies(self._callers).assume_role
        self._endpoint.unlocked["lambda", "Invoke"] = InvokeApi(self.deliveries).answer

    def _listen(self) -> None:
        self.topics.install()
        self._undo.callback(self.topics.uninstall)
        page = page_application(self.inbox, self.topics.confirm, self.chain, receivers.application(self.inbox))
        endpoint = with_environment(self._endpoint, self._shared)
        applications: tuple[Callable[..., Any], ...] = (endpoint, page)
        for application, port in zip(applications, self._ports, strict=True):
            server = HttpServer.start(application, port)
            self._servers.append(server)
            self._undo.callback(server.stop)
        for part in (self.functions, self.deliveries, self.queues, self.schedules):
            self._undo.callback(part.stop)
        self.schedules.start()
        self.queues.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """The URL for ``AWS_ENDPOINT_URL``."""
        return self._servers[0].url

    @property
    def inbox_url(self) -> str:
        """The inbox page's address; the receivers are below it."""
        return self._servers[1].url

    @property
    def slack_url(self) -> str:
        """An incoming webhook of the loopback Slack."""
        return f"{self.inbox_url}/slack/services/T0LOCAL/B0LOCAL/alerts"

    @property
    def webhook_url(self) -> str:
        """A webhook that checks signatures against ``localcloud.receivers.webhook.SECRET``."""
        return f"{self.inbox_url}/webhook/alerts"

    def addresses(self) -> dict[str, str]:
        """Every address that a person may need, by what is there."""
        return {
            "AWS endpoint": self.endpoint,
            "Inbox page": self.inbox_url,
            "Slack incoming webhook": self.slack_url,
            "Webhook": self.webhook_url,
        }

    @property
    def function_actions(self) -> Mapping[str, FunctionActions]:
        """What each function has called so far, by the function's name."""
        return self._endpoint.by_function

    def enable_regions(self, *names: str) -> None:
        """Let these be all that the account uses, and DescribeRegions tells of."""

        def shown(_call: ApiRequest, _account_id: str, result: Mapping[str, Any]) -> dict[str, Any]:
            return {**result, "Regions": [item for item in result["Regions"] if item["RegionName"] in names]}

        self._endpoint.amendments["ec2", "DescribeRegions"] = shown

    def _shared(self) -> dict[str, dict[str, str]]:
        return {"environment": self.environment(), "addresses": self.addresses()}

    @property
    def credentials(self) -> Credentials:
        """Those of an administrator."""
        return self.identities.administrator()

    def client(
        self,
        service: str,
        *,
        credentials: Credentials | None = None,
        region: str | None = None,
        user_agent: str | None = None,
        source_ip: str | None = None,
    ) -> Any:
        """A boto3 client of the endpoint, as the caller of the credentials; made once."""
        signed_by = credentials or self.credentials
        key = (service, region or self.region, signed_by, user_agent, source_ip)
        with self._making_client:  # a session keeps the service models that it read, and is not thread-safe
            if key not in self._clients:
                self._clients[key] = self._make_client(*key)
            return self._clients[key]

    def _make_client(
        self, service: str, region: str, signed_by: Credentials, user_agent: str | None, source_ip: str | None
    ) -> Any:
        client: Any = self._session.client(
            service,  # type: ignore[call-overload]  # any service
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=signed_by.access_key_id,
            aws_secret_access_key=signed_by.secret_access_key,
            aws_session_token=signed_by.session_token,
            config=Config(retries={"total_max_attempts": 1}),
        )
        headers = {"User-Agent": user_agent, "X-Forwarded-For": source_ip}

        def say_who(request: Any, **_: object) -> None:
            for name, value in headers.items():
                if value is not None:
                    request.headers[name] = value

        client.meta.events.register("before-send.*.*", say_who)
        return client

    def environment(self, credentials: Credentials | None = None) -> dict[str, str]:
        """The environment variables with which any AWS client talks to this cloud."""
        signed_by = credentials or self.credentials
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            **signed_by.environment(),
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }

    def wait_until_idle(self, seconds: float = 30.0) -> bool:
        """Wait until no event is under way to a function or receiver; False where that took too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.deliveries.wait_until_idle(deadline - time.monotonic()) and not self.queues.waiting():
                return True
            time.sleep(0.02)
        return False

    def seconds_to(self, message: InboxMessage, event_id: str) -> float:
        """Seconds from the API call with this event id to a message's arrival."""
        seconds: float = (message.at - self._called_at[event_id]).total_seconds()
        return seconds

    def chain(self) -> list[dict[str, str]]:
        """The alarm path as it stands, link by link."""
        with self._endpoint.lock:
            return chain()

    def _look_up_events(self, call: ApiRequest, _account_id: str) -> Mapping[str, Any]:
        return trails.look_up(self.traits.looked_up(list(self.records)), call.params)

    def _on_call(self, call: ApiRequest, record: Mapping[str, Any] | None) -> None:
        if (
            call.operation in ("CreateEventSourceMapping", "UpdateEventSourceMapping")
            or call.service == "cloudformation"
        ):
            self.queues.detach_moto()
        if record is None:
            return
        kept = dict(record)
        self.records.append(kept)
        self._called_at[kept["eventID"]] = call.received_at
        if len(self._called_at) > KEPT_RECORDS:
            del self._called_at[next(iter(self._called_at))]
        if self._on_record is not None:
            self._on_record(kept)
        self._alarms.take(kept)
        self.events.publish(event_of(kept))

    def _log(self, line: LogLine) -> None:
        with self._endpoint.lock:
            group = f"/aws/lambda/{line.function_name}"
            trails.write_log(self.account_id, self.region, group, "local", line.text)


_RUNNING = threading.Lock()


def _remove(folder: Path) -> None:
    make_writable(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _reset_moto() -> None:
    """Forget everything in the backends that were loaded."""
    BackendDict.reset()
    reset_model_data()
