"""CloudTrail's event history: what was done to a resource lately, asked of LookupEvents.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.aws.retries import AwsCalls, CallFailed
from chalicelib.cloudtrail.records import mapping

# Fifty events a page, and two pages a second: what is read of one group takes ten seconds at most.
MOST_PAGES = 20


class NoHistory(Exception):  # noqa: N818 - it reads as what happened
    """CloudTrail could not be read; the text says why."""


@dataclass(frozen=True, slots=True)
class History:
    """The records of the calls that changed something, the oldest first, and whether these are all of them."""

    records: tuple[Mapping[str, Any], ...]
    complete: bool


class EventHistory(AwsCalls):
    """The event history of one region, by its name."""

    # Two calls a second are allowed in an account and region; these wait for 15 seconds at most.
    attempts = 6
    base_delay = 0.5

    def of_resource(self, resource: str, since: datetime) -> History:
        """What changed something and names the resource; of very many calls only the latest are read.

        Raises:
            NoHistory: it could not be read.
        """
        arguments: dict[str, Any] = {
            "LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": resource}],
            "StartTime": since,
        }
        found: list[Mapping[str, Any]] = []
        for _ in range(MOST_PAGES):
            answer = self._page(arguments)
            found += [mapping(_parsed(event.get("CloudTrailEvent"))) for event in answer.get("Events", ())]
            if not answer.get("NextToken"):
                return History(_changing(found), complete=True)
            arguments["NextToken"] = answer["NextToken"]
        return History(_changing(found), complete=False)

    def _page(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._with_retries("lookup_events", **arguments)
        except CallFailed as failure:
            error = NoHistory(f"{failure.reason} on cloudtrail:LookupEvents")
        raise error

    def _is_retryable(self, failure: CallFailed) -> bool:
        return failure.is_unanswered or "Throttl" in failure.code or failure.code == "RequestLimitExceeded"


def _changing(newest_first: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The oldest first, without those of who only looked at it, which are in there too."""
    return tuple(raw for raw in reversed(newest_first) if raw and raw.get("readOnly") is not True)


def _parsed(document: object) -> object:
    try:
        return json.loads(document) if isinstance(document, str) else None
    except ValueError:
        return None
