"""What a stage does at this moment: one look at its queues, its remembered status and its functions' log lines.

A look makes as many requests as the stage has log groups and queues, and some for titles that lines lack: about ten.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.alarm_path.snapshot.own_metrics import queue_age_query
from chalicelib.alarm_path.verdicts import Status
from chalicelib.alarm_path.watch.notification_policy import RememberedStatus
from chalicelib.alarm_path.watch.status_store import MemoryUnavailable, ParameterMemory, TableMemory
from chalicelib.aws.clients import ClientFactory
from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.deployment import AUDIT_ON_SCHEDULE, DELIVER, WITH_EVENTS
from chalicelib.functions.composition.auditing import parameter_name
from chalicelib.observability.logs import ALERT_QUEUED, ALERT_SENT, ALERT_SUPPRESSED, DELIVERY_FAILED
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable
from sgwatch.durable_template import StagePlace
from sgwatch.stages import DeployedStage

# The functions' log lines that say what became of an alert, and whether it is good.
OUTCOMES = {ALERT_SENT: True, ALERT_QUEUED: True, ALERT_SUPPRESSED: True, DELIVERY_FAILED: False}
MAX_PAGES = 3
MAX_TITLES = 10
# Lines reach CloudWatch Logs some seconds after they were written.
OVERLAP = timedelta(seconds=30)


class LiveAccessError(Exception):
    """Something could not be read; the text says what."""


@dataclass(frozen=True, slots=True)
class LoggedOutcome:
    """One log line on an alert; ``title`` is None where neither the line nor the state table has it."""

    at: datetime
    said: str
    destination: str
    severity: str
    event_id: str
    event_name: str
    reason: str
    line_id: str = field(repr=False)
    title: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether the alert went where it should."""
        return OUTCOMES[self.said]


@dataclass(frozen=True, slots=True)
class LoggedAlert:
    """What became of one alert at the destinations at which the same became of it."""

    outcomes: tuple[LoggedOutcome, ...]

    @property
    def at(self) -> datetime:
        """When it was said last."""
        return self.outcomes[-1].at

    @property
    def severity(self) -> str:
        """The alert's severity."""
        return self.outcomes[0].severity

    @property
    def is_good(self) -> bool:
        """Whether it went where it should."""
        return self.outcomes[0].is_good

    @property
    def what(self) -> str:
        """The alert's title, else its event's name and id."""
        first = self.outcomes[0]
        return first.title or " ".join(filter(None, (first.event_name, first.event_id))) or "an alert"

    @property
    def said(self) -> str:
        """``sent to slack, sns`` or ``failed at webhook: HTTP 404``."""
        first = self.outcomes[0]
        names = ", ".join(dict.fromkeys(item.destination for item in self.outcomes if item.destination))
        return f"{_SAID[first.said]}{f' {names}' if names else ''}{f': {first.reason}' if first.reason else ''}"


_SAID = {
    ALERT_SENT: "sent to",
    ALERT_QUEUED: "queued for",
    ALERT_SUPPRESSED: "suppressed for",
    DELIVERY_FAILED: "failed at",
}


@dataclass(frozen=True, slots=True)
class QueueLevel:
    """How full a queue is; ``oldest_seconds`` is CloudWatch's, minutes old, None where it has none."""

    name: str
    messages: int
    oldest_seconds: float | None
    is_for_failures: bool


@dataclass(frozen=True, slots=True)
class LiveLook:
    """One look at a stage."""

    at: datetime
    path: RememberedStatus | None
    queues: tuple[QueueLevel, ...]
    earlier: tuple[LoggedOutcome, ...]
    new: tuple[LoggedOutcome, ...]

    @property
    def outcomes(self) -> tuple[LoggedOutcome, ...]:
        """The last one of each destination before this look, and those that are new."""
        return (*self.earlier, *self.new)

    @property
    def new_alerts(self) -> tuple[LoggedAlert, ...]:
        """What became of the alerts since the look before, each once."""
        found: dict[tuple[str, ...], list[LoggedOutcome]] = {}
        for item in self.new:
            what = item.event_id or item.line_id
            found.setdefault((what, item.title or "", item.said, item.reason), []).append(item)
        return tuple(LoggedAlert(tuple(items)) for items in found.values())

    @property
    def last_by_destination(self) -> Mapping[str, LoggedOutcome]:
        """The newest outcome at each destination."""
        return {item.destination: item for item in self.outcomes if item.destination}

    @property
    def verdict(self) -> Status:
        """Fail where the path is broken, a dead letter waits or a destination failed last; unknown as the audit's."""
        stuck = any(queue.is_for_failures and queue.messages for queue in self.queues)
        failed = any(not item.is_good for item in self.last_by_destination.values())
        if stuck or failed:
            return Status.FAIL
        return Status.UNKNOWN if self.path is None else self.path.status


class LiveView:
    """Looks at a stage again and again; remembers the lines that it has seen and may see again."""

    def __init__(self, place: StagePlace, stage: DeployedStage, client: ClientFactory, since: datetime) -> None:
        self._place, self._stage, self._client = place, stage, client
        self._since = since
        self._urls: dict[str, str] = {}
        self._seen: dict[str, datetime] = {}
        self._last: dict[str, LoggedOutcome] = {}

    def look(self, now: datetime) -> LiveLook:
        """What there is now.

        Raises:
            LiveAccessError: the remembered status or the state table cannot be read.
        """
        found = sorted(self._new_outcomes(), key=lambda item: item.at)
        titled = [*found[:-MAX_TITLES], *map(self._titled, found[-MAX_TITLES:])]
        before = tuple(self._last.values())
        self._last |= {item.destination: item for item in titled if item.destination}
        self._since = max(self._since, now - OVERLAP)
        # Times in Logs are whole milliseconds, so that a line a little older is read once more.
        again = self._since - timedelta(seconds=1)
        self._seen = {line_id: at for line_id, at in self._seen.items() if at >= again}
        return LiveLook(now, self._path(), tuple(self._queues(now)), before, tuple(titled))

    def _path(self) -> RememberedStatus | None:
        table = self._table()
        memory = (
            ParameterMemory(lambda: self._client("ssm"), parameter_name(self._stage.stage))
            if table is None
            else TableMemory(table, StateError)
        )
        try:
            return memory.load()
        except MemoryUnavailable as error:
            raise LiveAccessError(str(error)) from error

    def _table(self) -> StateTable | None:
        durable = self._stage.durable
        return None if durable is None else StateTable(lambda: self._client("dynamodb"), durable.table)

    def _queues(self, now: datetime) -> Iterator[QueueLevel]:
        if self._stage.durable is None:
            return
        place, sqs = self._place, self._client("sqs")
        names = (place.queue, place.dead_letters, place.failed_events)
        ages = self._ages(names, now)
        for name in names:
            if name not in self._urls:
                self._urls[name] = str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
            kinds = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            found = sqs.get_queue_attributes(QueueUrl=self._urls[name], AttributeNames=kinds)["Attributes"]
            count = sum(int(found.get(kind, 0)) for kind in kinds)
            yield QueueLevel(name, count, ages.get(name), name != place.queue)

    def _ages(self, names: Iterable[str], now: datetime) -> Mapping[str, float]:
        """The age in seconds by the queue's name, where CloudWatch has one."""
        by_id = {f"q{number}": name for number, name in enumerate(names)}
        queries: Any = [queue_age_query(name, key, timedelta(minutes=1)) for key, name in by_id.items()]
        answer = self._client("cloudwatch").get_metric_data(
            MetricDataQueries=queries, StartTime=now - timedelta(minutes=10), EndTime=now, ScanBy="TimestampDescending"
        )
        return {by_id[item["Id"]]: float(item["Values"][0]) for item in answer["MetricDataResults"] if item["Values"]}

    def _new_outcomes(self) -> Iterator[LoggedOutcome]:
        handlers = (*WITH_EVENTS, AUDIT_ON_SCHEDULE) if self._stage.durable is None else (DELIVER,)
        for handler in handlers:
            for event in self._lines(f"/aws/lambda/{self._place.function(handler)}"):
                item = outcome_of(event)
                if item is not None and item.line_id not in self._seen:
                    self._seen[item.line_id] = item.at
                    yield item

    def _lines(self, group: str) -> Iterator[Mapping[str, Any]]:
        arguments: dict[str, Any] = {
            "logGroupName": group,
            "startTime": int(self._since.timestamp() * 1000),
            "filterPattern": " ".join(f'?"{phrase}"' for phrase in OUTCOMES),
        }
        for _ in range(MAX_PAGES):
            try:
                answer = self._client("logs").filter_log_events(**arguments)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":  # the function has not run yet
                    return
                raise
            yield from answer["events"]
            if not answer.get("nextToken"):
                return
            arguments["nextToken"] = answer["nextToken"]

    def _titled(self, item: LoggedOutcome) -> LoggedOutcome:
        """With the title of the alert that the state table keeps, where the line has none: one of an older sgwatch."""
        table = self._table()
        if item.title or table is None or not item.event_id:
            return item
        with contextlib.suppress(StateError):
            for alert in AlertArchive(table, lambda: datetime.now(UTC)).of_event(item.event_id):
                return replace(item, title=alert.title, event_name=alert.event.name or "")
        return item


def outcome_of(event: Mapping[str, Any]) -> LoggedOutcome | None:
    """The outcome that a log event tells of; None where it is another line."""
    try:
        line = json.loads(event["message"])
    except ValueError:
        return None
    if not isinstance(line, dict) or line.get("event") not in OUTCOMES:
        return None
    text: Callable[[str], str] = lambda name: str(line.get(name) or "")  # noqa: E731
    return LoggedOutcome(
        at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        said=line["event"],
        destination=text("destination"),
        severity=text("severity"),
        event_id=text("event_id"),
        event_name=text("event_name"),
        reason=text("reason") or text("by"),
        line_id=str(event["eventId"]),
        title=text("title") or None,
    )
