"""The deliver function on moto's queues and table."""

from __future__ import annotations

import heapq
import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError

from chalicelib.alert.model import Alert, AlertKind
from chalicelib.delivery.deliver import NotAllDelivered, RetryPolicy
from chalicelib.delivery.direct import Undelivered
from chalicelib.delivery.envelope import Delivery, encode
from chalicelib.delivery.event_source import EventSource
from chalicelib.delivery.invocation import InvocationContext
from chalicelib.delivery.ledger import AlreadyDelivered, Claimed, Held, Ledger
from chalicelib.delivery.queue import MAX_BYTES, Queue
from chalicelib.destinations.contract import DeliveryError
from chalicelib.observability.logs import Log, Redactor
from chalicelib.state.codec import StateItem
from chalicelib.state.errors import StateError
from chalicelib.state.state_table import StateTable
from tests.support.alerts import EVENT_ID, SAMPLES, critical_open_ssh, hostile, rule, thousand_rules
from tests.support.durable import (
    DEAD,
    ONE_INVOCATION,
    QUEUE,
    TABLE,
    Recorder,
    World,
    lasting,
    numbered,
    passing,
    sqs_event,
)
from tests.support.unknowns import sentences


class Watched(Queue):
    """The queue, noting for how long messages are postponed."""

    def __init__(self, queue: Queue, waits: list[float]) -> None:
        super().__init__(queue._client, queue.name)
        self._waits = waits

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        self._waits.append(seconds)
        super().postpone(receipt_handle, seconds)


@pytest.mark.parametrize("name", [*SAMPLES, "hostile"])
def test_every_alert_arrives_as_it_was(durable: World, name: str) -> None:
    alert = hostile() if name == "hostile" else SAMPLES[name]()
    slack, sns = Recorder("slack"), Recorder("sns")
    durable.queue_for(alert, slack, sns)
    durable.run(durable.function(slack, sns))
    assert slack.sent == sns.sent == [alert]


def test_an_event_that_comes_twice_is_sent_once(durable: World) -> None:
    slack = Recorder("slack")
    for _ in range(2):
        durable.queue_for(critical_open_ssh(), slack)
    durable.run(durable.function(slack))
    assert len(slack.sent) == 1


def test_an_event_that_comes_again_after_sqs_forgot_it_is_not_sent_again(durable: World) -> None:
    slack = Recorder("slack")
    function = durable.function(slack)
    durable.queue_for(critical_open_ssh(), slack)
    durable.run(function)
    body = encode(Delivery("slack", critical_open_ssh(), durable.clock.now()))
    durable.sqs.send_message(
        QueueUrl=durable.url(QUEUE), MessageBody=body, MessageGroupId="g", MessageDeduplicationId="later"
    )
    durable.run(function)
    assert len(slack.sent) == 1
    durable.come_back()
    assert durable.receive() == []


def test_a_failure_for_now_comes_back_and_is_delivered(durable: World) -> None:
    slack = Recorder("slack", errors=[passing()])
    durable.queue_for(critical_open_ssh(), slack)
    function = durable.function(slack)
    durable.run(function)
    assert (slack.attempts, slack.sent) == (1, [])
    slack.errors.clear()
    durable.come_back()
    durable.run(function)
    assert [alert.id for alert in slack.sent] == [EVENT_ID]


def test_retry_after_becomes_the_visibility_timeout(durable: World) -> None:
    slack = Recorder("slack", errors=[passing("it answered HTTP 429", retry_after=40)])
    durable.queue_for(critical_open_ssh(), slack)
    waits: list[float] = []
    function = durable.function(slack, queue=Watched(durable.made.queue, waits))
    durable.run(function)
    assert waits == [42.0]


def test_waits_double_are_spread_and_bounded() -> None:
    retry_policy = RetryPolicy(base_delay=2, max_delay=900)
    assert [retry_policy.wait(attempt, 1.0) for attempt in (1, 2, 3, 4, 20)] == [2, 4, 8, 16, 900]
    assert retry_policy.wait(3, 0.0) == 4
    assert retry_policy.wait(1, 0.5, retry_after=30) == 31
    assert retry_policy.wait(1, 0.0, retry_after=7_200) == 7_200
    assert retry_policy.wait(1, 0.0, retry_after=10**9) == 3600, "longer than SQS can keep it"


def test_thousands_that_wait_for_a_destination_of_one_a_second_are_all_delivered_before_the_queue_gives_up() -> None:
    """The queue hands a message out 500 times (infra/durable.yaml)."""
    chance, retry_policy = random.Random(1), RetryPolicy()
    due = [(chance.random(), number) for number in range(2_000)]
    received = [0] * len(due)
    heapq.heapify(due)
    free_at = 0.0
    while due:
        now, number = heapq.heappop(due)
        received[number] += 1
        if now >= free_at:
            free_at = now + 1
        else:
            wait = retry_policy.wait(received[number], chance.random(), retry_after=1)
            heapq.heappush(due, (now + wait, number))
    assert max(received) < 200
    assert free_at < 1.2 * len(received), "and the destination is kept busy"


def test_a_failure_that_cannot_be_written_down_comes_back_when_it_was_asked_to(durable: World) -> None:
    class Unwritten(Ledger):
        def failed(self, delivery: str, destination: str, reason: str, *, unanswered: int = 0) -> None:
            raise StateError(f"{delivery} {destination} {reason}")

    slack = Recorder("slack", errors=[passing("it answered HTTP 429", retry_after=600)])
    durable.queue_for(critical_open_ssh(), slack)
    waits: list[float] = []
    ledger = Unwritten(durable.made.table, durable.clock.now)
    durable.run(durable.function(slack, queue=Watched(durable.made.queue, waits), ledger=ledger))
    assert waits == [602.0]


def test_a_refusal_goes_to_the_dead_letter_queue_at_once_and_the_others_are_reported(durable: World) -> None:
    slack, sns = Recorder("slack", errors=[lasting()]), Recorder("sns")
    durable.queue_for(critical_open_ssh(), slack, sns)
    durable.run(durable.function(slack, sns))
    assert slack.attempts == 1
    assert durable.dead() == [("slack", "it answered HTTP 404: no_service")]
    told = [alert for alert in sns.sent if alert.kind is AlertKind.DELIVERY_PROBLEM]
    assert [alert.title for alert in told] == ["Alerts are not reaching slack"]
    assert "no_service" in told[0].summary
    assert critical_open_ssh() in sns.sent


def test_a_refusing_destination_is_announced_once_an_hour(durable: World) -> None:
    slack, sns = Recorder("slack", errors=[lasting()]), Recorder("sns")
    function = durable.function(slack, sns)
    for number in range(5):
        durable.queue_for(numbered(number), slack)
        durable.run(function)
        durable.clock.forward(60)
    assert len(sns.sent) == 1
    durable.clock.forward(3600)
    durable.queue_for(numbered(9), slack)
    durable.run(function)
    assert len(sns.sent) == 2


def test_a_late_delivery_says_so(durable: World) -> None:
    slack = Recorder("slack")
    durable.queue_for(critical_open_ssh(), slack)
    durable.clock.forward(75)
    durable.run(durable.function(slack))
    assert slack.sent[0].summary == f"Delivered late by 75 s. {critical_open_ssh().summary}"


def test_order_is_kept_in_a_group_and_other_groups_do_not_wait(durable: World) -> None:
    slack = Recorder("slack", errors=[passing()])
    first, second, other = numbered(1, "sg-1"), numbered(2, "sg-1"), numbered(3, "sg-2")
    for alert in (first, second):
        durable.queue_for(alert, slack)
    function = durable.function(slack)
    durable.run(function)
    assert slack.attempts == 1, "the second waits behind the first"
    slack.errors.clear()
    durable.queue_for(other, slack)
    durable.run(function)
    assert slack.sent == [other]
    durable.come_back()
    durable.run(function)
    assert slack.sent == [other, first, second]


def test_from_the_first_failure_of_a_group_on_a_batch_is_reported(durable: World) -> None:
    slack = Recorder("slack", errors=[passing()])
    for number, group in enumerate(("sg-1", "sg-1", "sg-2")):
        durable.queue_for(numbered(number, group), slack)
    messages = durable.receive(most=10)
    assert len(messages) == 3
    answer = durable.function(slack).handle(sqs_event(messages), ONE_INVOCATION)
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == [m["MessageId"] for m in messages]
    assert slack.attempts == 2, "the second of sg-1 is not tried before the first is through"


def test_where_lambda_would_not_read_the_answer_the_function_raises(durable: World) -> None:
    slack = Recorder("slack", errors=[passing()])
    durable.queue_for(critical_open_ssh(), slack)
    function = durable.function(slack, reports_failures=lambda: False)
    with pytest.raises(NotAllDelivered, match="sgwatch setup"):
        function.handle(sqs_event(durable.receive()), ONE_INVOCATION)


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", '{"version": "2"}', '{"version": "1"}', "[" * 100_000, '{"version":"1","destination":1}'],
)
def test_a_message_that_cannot_be_read_goes_to_the_dead_letter_queue_with_its_reason(durable: World, body: str) -> None:
    record = {
        "messageId": "m-1",
        "receiptHandle": "h",
        "body": body or " ",
        "attributes": {"SentTimestamp": "1795000000000", "MessageGroupId": "g"},
    }
    answer = durable.function().handle({"Records": [record]}, ONE_INVOCATION)
    assert answer == {"batchItemFailures": []}
    ((destination, reason),) = durable.dead()
    assert destination == ""
    assert reason.startswith("the message")


def test_alerts_for_a_destination_that_is_gone_wait_in_the_dead_letter_queue(durable: World) -> None:
    durable.queue_for(critical_open_ssh(), Recorder("slack.old"))
    durable.run(durable.function(Recorder("sns")))
    assert durable.dead() == [("slack.old", "no destination of this name is configured")]


def test_what_fails_for_a_day_is_given_up_with_its_last_reason(durable: World) -> None:
    slack = Recorder("slack", errors=[passing()])
    durable.queue_for(critical_open_ssh(), slack)
    function = durable.function(slack, now=lambda: durable.clock.now() + timedelta(days=400))
    durable.run(function)
    assert durable.dead() == [("slack", "not delivered in 1 attempts, at last: it answered HTTP 503")]


def test_an_alert_that_may_have_been_taken_is_posted_six_times_at_most() -> None:
    policy = RetryPolicy()
    waits = [policy.wait_for_answer(unanswered) for unanswered in range(1, policy.max_unanswered)]
    assert waits == [0, 60, 240, 900, 900]


def test_what_is_never_answered_is_a_dead_letter_that_says_so(durable: World) -> None:
    silent = DeliveryError("no answer in time", permanent=False, maybe_taken=True)
    slack = Recorder("slack", errors=[silent] * 20)
    durable.queue_for(critical_open_ssh(), slack)
    policy = RetryPolicy(unanswered_delay=0.0)
    function = durable.function(slack, retry_policy=policy)
    for _ in range(8):
        durable.run(function)
        durable.come_back()
    assert slack.attempts == 6
    assert durable.dead() == [("slack", "no answer in time, 6 times: the destination may have it")]


def test_a_message_that_keeps_killing_the_function_is_given_up(durable: World) -> None:
    slack = Recorder("slack")
    ledger = Ledger(durable.made.table, durable.clock.now)
    for _ in range(5):
        claim = ledger.claim(Delivery("slack", critical_open_ssh(), durable.clock.now()).id, "slack", "x", 1)
        assert isinstance(claim, Claimed)
        durable.clock.forward(5)
    durable.queue_for(critical_open_ssh(), slack)
    durable.run(durable.function(slack))
    assert slack.attempts == 0
    assert durable.dead() == [("slack", "the function ended 5 times in a row while sending it")]


def test_a_defect_in_a_destination_is_a_dead_letter_and_holds_nobody_up(durable: World) -> None:
    slack = Recorder("slack", errors=[KeyError("hook")])
    durable.queue_for(critical_open_ssh(), slack)
    durable.run(durable.function(slack))
    ((_, reason),) = durable.dead()
    assert reason.startswith("KeyError in its code")
    assert "hook" not in reason


def four_thousand_rules() -> Alert:
    rules = tuple(rule(description="x" * 200, rule_id=f"sgr-{i:017x}") for i in range(4000))
    return thousand_rules()._replace(changes=thousand_rules().changes._replace(added=rules))


def test_an_alert_over_the_queues_limit_is_cut_at_its_rules_and_sent_whole_from_the_table(durable: World) -> None:
    whole = four_thousand_rules()
    slack = Recorder("slack")
    durable.queue_for(whole, slack)
    body = json.loads(durable.receive()[0]["Body"])
    durable.come_back()
    assert body["kept"] is True
    assert len(body["alert"]["changes"]["added"]) == 1000
    assert "3,000 more rules: left out to fit into a queue message" in body["alert"]["unknowns"]
    durable.run(durable.function(slack))
    assert slack.sent == [whole]


def test_a_kept_alert_of_two_pieces_is_sent_as_it_was_cut(durable: World) -> None:
    slack = Recorder("slack")
    durable.queue_for(four_thousand_rules(), slack)
    (item,) = durable.made.table.query(f"kept#{four_thousand_rules().id}")
    content = item["content"]
    assert isinstance(content, bytes)
    durable.made.table.put({**item, "content": content[:500] + content[400:]})
    durable.run(durable.function(slack))
    assert "left out to fit into a queue message" in sentences(slack.sent[0].unknowns)[0]


def test_a_dead_letter_with_its_reason_is_no_larger_than_sqs_takes(durable: World) -> None:
    slack, alert = Recorder("slack", [lasting("ü" * 2_000)]), critical_open_ssh()
    room = MAX_BYTES - 1_000 - len(encode(Delivery("", alert, durable.clock.now())))
    durable.queue_for(alert._replace(summary=alert.summary + "x" * room), slack)
    durable.run(durable.function(slack))
    (letter,) = durable.receive(DEAD)
    attributes = letter["MessageAttributes"].items()
    told = sum(len(name) + len("String") + len(item["StringValue"].encode()) for name, item in attributes)
    assert len(letter["Body"]) + told <= MAX_BYTES


def test_a_queue_that_cannot_be_found_is_said_for_every_destination(durable: World) -> None:
    gone = replace(durable.made.durable, queue=Queue(durable.made.queue._client, "none.fifo", sleep=lambda _: None))
    outcomes = gone.deliver(critical_open_ssh(), [Recorder("slack"), Recorder("sns")], lambda: 60_000.0)
    assert [(type(each), each.destination) for each in outcomes] == [(Undelivered, "slack"), (Undelivered, "sns")]


def test_a_table_that_never_answers_is_not_waited_for_until_the_function_ends(durable: World) -> None:
    class Silent:
        def get_item(self, **_: object) -> None:
            durable.clock.forward(10.0)
            raise ConnectTimeoutError(endpoint_url="https://dynamodb.example.com")

    began = durable.clock.now()
    table = StateTable(Silent, "none", sleep=lambda _: None, clock=durable.clock.seconds)
    with pytest.raises(StateError):
        table.get("a", "b")
    assert durable.clock.now() - began == timedelta(seconds=10)


def test_what_there_is_no_time_left_to_send_comes_back_unsent(durable: World) -> None:
    ends_at = durable.clock.now() + timedelta(seconds=30)

    class Slow(StateTable):
        def update(self, *arguments: Any, **more: Any) -> StateItem | None:
            durable.clock.forward(15)
            return super().update(*arguments, **more)

    table = Slow(lambda: boto3.client("dynamodb"), TABLE)
    slack = Recorder("slack")
    durable.queue_for(critical_open_ssh(), slack)
    function = durable.function(slack, ledger=Ledger(table, durable.clock.now))
    call = InvocationContext("request-1", lambda: (ends_at - durable.clock.now()).total_seconds() * 1000)
    answer = function.handle(sqs_event(durable.receive()), call)
    assert slack.attempts == 0, "Lambda would end the function before it has written down what came of it"
    assert len(answer["batchItemFailures"]) == 1
    durable.come_back()
    durable.run(durable.function(slack))
    assert slack.sent == [critical_open_ssh()]


def test_two_functions_cannot_hold_the_same_delivery(durable: World) -> None:
    ledger = Ledger(durable.made.table, durable.clock.now)
    assert ledger.claim("d", "slack", "one", 30) == Claimed(1, 0, None)
    assert ledger.claim("d", "slack", "two", 30) == Held(30)
    assert ledger.claim("d", "slack", "one", 30) == Claimed(2, 1, None), "whoever holds it may have missed the answer"
    durable.clock.forward(31)
    assert ledger.claim("d", "slack", "two", 30) == Claimed(3, 2, None)
    ledger.failed("d", "slack", "HTTP 500")
    assert ledger.claim("d", "slack", "three", 30) == Claimed(4, 0, "HTTP 500")
    ledger.delivered("d", "slack", "ref")
    ledger.failed("d", "slack", "a straggler")
    assert ledger.claim("d", "slack", "four", 30) == AlreadyDelivered("ref")


class Lambda:
    """Lambda's answer about the queue's event sources."""

    def __init__(self, *mappings: dict[str, object] | Exception) -> None:
        self._mappings = mappings

    def list_event_source_mappings(self, **_: object) -> dict[str, object]:
        for each in self._mappings:
            if isinstance(each, Exception):
                raise each
        return {"EventSourceMappings": list(self._mappings)}


@pytest.mark.parametrize(
    ("answer", "reports"),
    [
        (Lambda({"FunctionResponseTypes": ["ReportBatchItemFailures"]}), True),
        (Lambda({"FunctionResponseTypes": []}), False),
        (Lambda({"FunctionResponseTypes": None}), False),
        (Lambda({"FunctionResponseTypes": ["ReportBatchItemFailures"]}, {}), False),
        (Lambda(), False),
        (Lambda(RuntimeError("AccessDenied")), False),
    ],
)
def test_failures_are_reported_only_where_lambda_is_known_to_read_them(answer: Lambda, reports: bool) -> None:
    log = Log(Redactor(), write=lambda _: None)
    assert EventSource(lambda: answer, lambda: "arn", log).reports_failures() is reports


def test_why_lambda_could_not_be_asked_is_logged() -> None:
    lines: list[str] = []
    refusing = Lambda(RuntimeError("AccessDenied"))
    assert not EventSource(lambda: refusing, lambda: "arn", Log(Redactor(), write=lines.append)).reports_failures()
    (line,) = map(json.loads, lines)
    assert (line["event"], line["reason"]) == ("event source mapping could not be read", "RuntimeError")
