"""The endpoint that AWS clients talk to: moto behind a layer that enforces IAM and writes records.

A call is decoded, judged by its caller's policies, answered (by a stand-in where moto falls short, by
moto otherwise) and, once answered, passed to the listener as a CloudTrail record.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.parsers import ResponseParserFactory
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localcloud.awkward.awkwardness import NONE
from localcloud.awkward.traits import Traits
from localcloud.aws_error import AwsError
from localcloud.calls import ApiRequest, decode
from localcloud.gaps import StandIn, amendments, answers, wrappers
from localcloud.permissions import action_of, actions_of, is_allowed
from localcloud.record_writer import CallResult, is_recorded, record_of

if TYPE_CHECKING:
    from localcloud.callers import CallerIdentity, Callers
    from localcloud.servers import StartResponse


Amendment = Callable[[ApiRequest, str, Mapping[str, Any]], Mapping[str, Any]]
# Given the call, its account and a way to have moto answer it; may return an output of its own.
Wrapper = Callable[[ApiRequest, str, Callable[[], "Answered"]], "Answered | Mapping[str, Any]"]
Listener = Callable[[ApiRequest, Mapping[str, Any] | None], None]

LOG = logging.getLogger(__name__)
REQUEST_ID = re.compile(rb"(<(requestId|RequestId|RequestID)>)[^<]*(</)")
PARSERS = ResponseParserFactory()
PARSERS.set_parser_defaults(timestamp_parser=str, blob_parser=lambda _: None)

DRY_RUN = AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
# Services whose code for a refusal is AccessDenied; EC2 has its own and the rest say AccessDeniedException.
QUERY_SERVICES = frozenset({"cloudwatch", "elbv2", "iam", "sns", "sts", "cloudformation", "elb"})
# By error code, where it is not 400.
STATUS = {
    "InternalFailure": 500,
    "DryRunOperation": 412,
    "UnauthorizedOperation": 403,
    "AccessDenied": 403,
    "AuthorizationError": 403,
}


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP response, whole."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(slots=True)
class FunctionActions:
    """The IAM actions that a function's calls needed, and those of them that its policies refused."""

    needed: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Endpoint:
    """The WSGI application behind ``AWS_ENDPOINT_URL``.

    moto is not thread-safe: one call at a time is in it. ``answers`` stand in for moto's own,
    ``wrappers`` stand around it, ``amendments`` change what it answered, and the ``unlocked`` may wait for other
    calls to come in. ``traits`` are those of AWS that moto does not have.
    """

    callers: Callers
    listener: Listener
    enforce_iam: bool = True
    answers: dict[tuple[str, str], StandIn] = field(default_factory=answers)
    wrappers: dict[tuple[str, str], Wrapper] = field(default_factory=wrappers)
    amendments: dict[tuple[str, str], Amendment] = field(default_factory=amendments)
    unlocked: dict[tuple[str, str], Callable[[ApiRequest, str], Answered]] = field(default_factory=dict)
    traits: Traits = field(default_factory=lambda: Traits(NONE))
    lock: threading.RLock = field(default_factory=threading.RLock)
    by_function: dict[str, FunctionActions] = field(default_factory=dict)
    _moto: Any = field(default_factory=lambda: DomainDispatcherApplication(create_backend_app))

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        call = decode(environ)
        if call is None:
            return self._moto(environ, start_response)  # type: ignore[no-any-return]
        try:
            return _send(self._answered(call, environ), start_response)
        except Exception:  # the local cloud's own fault: to a client it is AWS's, which it asks again
            LOG.exception("the local cloud failed: %s %s", call.service, call.operation)
            return _send(error(call, _cannot_answer(call)), start_response)

    def _answered(self, call: ApiRequest, environ: dict[str, Any]) -> Answered:
        with self.lock:
            caller = self.callers.identify(call.access_key_id)
            refused = self._refuse(call, caller)
        unlocked = self.unlocked.get((call.service, call.operation))
        if unlocked is not None and refused is None:
            return unlocked(call, caller.account_id)
        with self.lock:
            answered = refused or self._answer_as_aws(call, caller, environ)
            outcome = outcome_of(call, answered)
            self.callers.note_session(call, outcome.result)
            record = record_of(call, caller, outcome) if is_recorded(call) else None
        self.listener(call, record)
        return answered

    def _refuse(self, call: ApiRequest, caller: CallerIdentity) -> Answered | None:
        by_function = self.callers.is_function(call.access_key_id)
        allowed = not (self.enforce_iam or by_function) or is_allowed(call, caller)
        if by_function:  # its session has the function's name
            noted = self.by_function.setdefault(caller.arn.rpartition("/")[2], FunctionActions())
            noted.needed.update(actions_of(call))
            noted.refused.update(() if allowed else actions_of(call))
        if not allowed:
            return error(call, refusal(call, caller))
        if call.service == "ec2" and call.params.get("DryRun") is True:
            return error(call, DRY_RUN)
        return None

    def _answer_as_aws(self, call: ApiRequest, caller: CallerIdentity, environ: dict[str, Any]) -> Answered:
        """The answer, as slow and as unwilling as AWS may be."""
        unwilling = self.traits.refusal(call, caller.account_id)
        if unwilling is not None:
            return error(call, unwilling)
        with self.traits.around(call, caller.account_id):
            answered = self._answer(call, caller, environ)
        if answered.status >= 300 or not self.traits.concern(call):
            return answered
        result = outcome_of(call, answered).result
        self.traits.note(call, caller.account_id, result)
        return serialized(call, shown) if (shown := self.traits.shown(call, result)) is not result else answered

    def _answer(self, call: ApiRequest, caller: CallerIdentity, environ: dict[str, Any]) -> Answered:
        named = (call.service, call.operation)
        stand_in, wrapper = self.answers.get(named), self.wrappers.get(named)
        try:
            if stand_in is not None:
                return serialized(call, stand_in(call, caller.account_id))
            if wrapper is not None:
                found = wrapper(call, caller.account_id, lambda: self._ask_moto(call, environ))
                return found if isinstance(found, Answered) else serialized(call, found)
            return self._ask_moto(call, environ)
        except AwsError as exception:
            return error(call, exception)

    def _ask_moto(self, call: ApiRequest, environ: dict[str, Any]) -> Answered:
        caught: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            caught.extend((int(status.split(maxsplit=1)[0]), headers))

        try:
            body = b"".join(self._moto(environ, start_response))
        except NotImplementedError as exception:
            return error(call, AwsError("InvalidAction", f"not in the local cloud: {exception}"))
        except Exception:  # moto's own fault: to a client it is AWS's, and the next call is answered
            LOG.exception("moto failed: %s %s", call.service, call.operation)
            return error(call, _cannot_answer(call))
        status, headers = caught
        body = REQUEST_ID.sub(rb"\g<1>" + call.request_id.encode() + rb"\g<3>", body)
        kept = [item for item in headers if item[0].lower() not in ("content-length", "x-amzn-requestid")]
        answered = whole(call, status, kept, body)
        amend = self.amendments.get((call.service, call.operation))
        if amend is None or status >= 300:
            return answered
        return serialized(
            call, amend(call, self.callers.identify(call.access_key_id).account_id, outcome_of(call, answered).result)
        )


def _cannot_answer(call: ApiRequest) -> AwsError:
    return AwsError("InternalFailure", f"The local cloud cannot answer this {call.operation}.")


def _send(answered: Answered, start_response: StartResponse) -> list[bytes]:
    start_response(f"{answered.status} {'OK' if answered.status < 400 else 'Error'}", answered.headers)
    return [answered.body]


def whole(call: ApiRequest, status: int, headers: list[tuple[str, str]], body: bytes) -> Answered:
    """A response with its length and request id."""
    extra = [("Content-Length", str(len(body))), ("x-amzn-RequestId", call.request_id)]
    return Answered(status, [*headers, *extra], body)


def serialized(call: ApiRequest, result: Mapping[str, Any] | Exception) -> Answered:
    """An output or an error as the call's protocol writes it."""
    serializer = get_serializer_class(call.service, call.protocol)(
        operation_model=call.model, context=SerializationContext(call.request_id)
    )
    response = serializer.serialize(result)
    body = response["body"]
    raw = body.encode() if isinstance(body, str) else body
    return whole(call, response["status_code"], list(response["headers"].items()), raw)


def error(call: ApiRequest, exception: AwsError) -> Answered:
    """An AWS error as the call's protocol writes it."""
    with warnings.catch_warnings():
        # moto warns of codes that a service's model does not list, as it lists hardly any that all services share.
        warnings.simplefilter("ignore")
        answered = serialized(call, exception)
    return Answered(STATUS.get(exception.code, answered.status), answered.headers, answered.body)


def refusal(call: ApiRequest, caller: CallerIdentity) -> AwsError:
    """The error with which a service refuses a caller whose policies do not allow the call."""
    what = f"User: {caller.arn} is not authorized to perform: {action_of(call)}"
    reason = f"{what} because no identity-based policy allows the {action_of(call)} action"
    if call.service == "ec2":
        return AwsError("UnauthorizedOperation", f"You are not authorized to perform this operation. {reason}")
    if call.service == "sns":
        return AwsError("AuthorizationError", reason)
    return AwsError("AccessDenied" if call.service in QUERY_SERVICES else "AccessDeniedException", reason)


def outcome_of(call: ApiRequest, answered: Answered) -> CallResult:
    """How a call ended, read from its response as a client reads it."""
    parser = PARSERS.create_parser(call.protocol)
    response = {
        "status_code": answered.status,
        "headers": {name.lower(): value for name, value in answered.headers},
        "body": answered.body,
        "context": {"operation_name": call.operation},
    }
    parsed = parser.parse(response, call.model.output_shape)
    parsed.pop("ResponseMetadata", None)
    if answered.status < 300:
        return CallResult(answered.status, parsed)
    problem = parsed.get("Error", {})
    return CallResult(answered.status, {}, problem.get("Code", "InternalFailure"), problem.get("Message"))
