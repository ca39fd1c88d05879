"""A reader that asks nobody: botocore checks what is asked and what is answered against the services' own models."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.stub import Stubber

from chalicelib.aws.read_calls import Call

# How IAM calls what botocore calls otherwise.
IAM_PREFIXES = {"elbv2": "elasticloadbalancing"}


@cache
def _client(service: str) -> Any:
    session: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1")
    return session.client(service)


@dataclass
class Stubbed:
    """Answers by IAM action, with nothing where none is given; ``asked`` is what was asked."""

    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    asked: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: Call, _account_id: str | None, _region: str | None) -> Mapping[str, Any]:
        with self._lock:  # a client has one queue of answers
            self.asked.append(call)
            client = _client(call.service)
            operation = client.meta.method_to_api_mapping[call.method]
            assert call.action == f"{IAM_PREFIXES.get(call.service, call.service)}:{operation}"
            with Stubber(client) as stubber:
                stubber.add_response(call.method, dict(self.answers.get(call.action, {})))
                answer: Mapping[str, Any] = getattr(client, call.method)(**call.parameters)
                return answer
