"""The alert of an event by its id: as it was sent, from the state table; else made again from CloudTrail's record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chalicelib.alert.model import Alert
from chalicelib.aws.clients import aws_client
from chalicelib.aws.read_calls import Call, LookupFailed, Reader
from chalicelib.delivery.alert_archive import AlertArchive
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable
from sgwatch.aws_refusals import WAYS_OUT

# Somebody is waiting: the table is tried again as often as ever, but not for as long.
_LONGEST_WAIT_SECONDS = 0.2


class NotFound(Exception):  # noqa: N818 - a sentence for people, no error of the program
    """Nobody knows the event; ``looked`` says of each place why it did not help."""

    def __init__(self, *looked: str) -> None:
        self.looked = looked
        super().__init__("; ".join(looked))


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks an event up; ``region`` is where CloudTrail is asked, None being the AWS CLI's own.

    ``made`` makes an alert of a record.
    """

    table: str
    region: str | None
    reader: Reader
    made: Callable[[Mapping[str, Any]], Alert]

    def find(self, event_id: str) -> Alert:
        """The event's alert.

        Raises:
            NotFound: it is in neither place.
            NotWatched: the event is none that could be undone.
        """
        kept, why_not_kept = self._kept(event_id)
        if kept is not None:
            return kept
        record, why_not_recorded = self._recorded(event_id)
        if record is None:
            raise NotFound(why_not_kept, why_not_recorded)
        return self.made(record)

    def _kept(self, event_id: str) -> tuple[Alert | None, str]:
        state = StateTable(
            lambda: aws_client("dynamodb"),
            self.table,
            sleep=lambda seconds: time.sleep(min(seconds, _LONGEST_WAIT_SECONDS)),
        )
        try:
            alerts = AlertArchive(state, lambda: datetime.now(UTC)).of_event(event_id)
        except StateError as error:
            return None, f"the state table could not be read: {WAYS_OUT.get(error.code, error)}"
        if not alerts:
            return None, f"the state table {self.table} keeps no alert of it with something to undo"
        return alerts[0], ""

    def _recorded(self, event_id: str) -> tuple[Mapping[str, Any] | None, str]:
        """The record, while CloudTrail still has it: for 90 days, in the region where the call was made."""
        by_id = [{"AttributeKey": "EventId", "AttributeValue": event_id}]
        call = Call("cloudtrail:LookupEvents", "lookup_events", {"LookupAttributes": by_id}, "cloudtrail")
        where = self.region or "the AWS CLI's region (--region names another)"
        try:
            events = self.reader(call, None, self.region).get("Events") or []
        except LookupFailed as error:
            return None, f"CloudTrail in {where} could not be read: {error}"
        if not events:
            # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
            return None, (
                f"CloudTrail's event history has no such event of the last 90 days in {where} and this account; "
                "an event may take 15 minutes to appear there"
            )
        record: Mapping[str, Any] = json.loads(events[0]["CloudTrailEvent"])
        return record, ""
