"""Asks Lambda how it reads the deliver function's answers.

Chalice cannot set ``ReportBatchItemFailures``; `sgwatch setup` does. Without it Lambda takes every
answer for success and deletes what failed, so the function has to know.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.observability.logs import Log

RESPONSES = "ReportBatchItemFailures"


class EventSource:
    """What Lambda reads the queue with, asked for when something first fails; ``queue`` gives the queue's ARN."""

    def __init__(self, client: Callable[[], Any], queue: Callable[[], str], log: Log) -> None:
        self._client = client
        self._queue = queue
        self._log = log
        self._reports = False

    def reports_failures(self) -> bool:
        """Whether the names of failed messages in an answer are read; False where that is not known."""
        if not self._reports:
            self._reports = self._ask()
        return self._reports

    def _ask(self) -> bool:
        try:
            answer = self._client().list_event_source_mappings(EventSourceArn=self._queue())
        except Exception as error:  # noqa: BLE001 - whatever it was, the caller then raises, and Lambda deletes no message of a function that raised
            self._log.warning("event source mapping could not be read", reason=type(error).__name__)
            return False
        mappings = answer.get("EventSourceMappings", ())
        return bool(mappings) and all(RESPONSES in (item.get("FunctionResponseTypes") or ()) for item in mappings)
