"""A fault campaign: events through real handler processes, moto's SQS and DynamoDB, and failing destinations.

What is real: the handlers' code in processes of their own, SIGKILL, HTTP, moto's queues, visibility
timeouts and conditional writes. What is played: Lambda's poller and asynchronous retries, and the
throttling in front of moto.
"""

from __future__ import annotations

import json
import multiprocessing
import queue
import random
import re
import sys
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.sqs.models import sqs_backends

from chalicelib.delivery.deliver import RetryPolicy
from sgwatch.dead_letters import letters, send_again
from tests.chaos import destinations as receivers
from tests.chaos.worker import TIME_LIMIT_SECONDS, Mutant, Spec, work
from tests.support.durable import DEAD, QUEUE, REGION, TABLE, make_resources

VISIBILITY_SECONDS = 10
SERVICES: tuple[Any, ...] = ("sqs", "dynamodb")
ACCOUNT = "123456789012"
ACCOUNTS = (ACCOUNT, "111122223333", "210987654321")
# The stage's own comes first.
PLACES = tuple((account, region) for account in ACCOUNTS for region in (REGION, "us-east-1", "ap-southeast-2"))
NAMES = ("slack", "sns", "webhook")
# More than this many messages at once make moto's own queue the bottleneck.
MOST_QUEUED = 40
PATIENCE = RetryPolicy(
    base_delay=0.4, max_delay=2.0, give_up_after=600.0, max_unanswered=20, unanswered_delay=0.4, seconds_needed=3.0
)
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.chaos.worker", "tests.chaos.destinations"])


@dataclass(frozen=True)
class Plan:
    """What a campaign does; the shares are of calls, events and points in the code."""

    events: int
    seed: int = 1
    groups: int = 60
    # Of PLACES, from so many come events in turn; a group's id in one is another group than in the next.
    places: int = 9
    workers: int = 12
    alert_workers: int = 2
    faults: float = 1.0
    throttled: float = 0.05
    unanswered: float = 0.005
    death: float = 0.001
    duplicated: float = 0.05
    down: str | None = None
    answer_seconds: float = 0.0
    pace: float = 0.0
    retry_policy: RetryPolicy = PATIENCE
    limit_seconds: float = 3600.0
    # The share of events of low severity, which are folded into bursts; each is about a group of its own.
    low: float = 0.3
    burst_seconds: int = 3
    mutant: Mutant | None = None


# An attempt that a destination took, and that the ledger was never given though its function lived on.
NEVER_WRITTEN_DOWN = "never written down"
# What became of an attempt, as far as its function could tell; where it could tell no more, SENDING.
SENDING, WRITTEN_DOWN = "killed before the ledger was written", "written down"


@dataclass(frozen=True)
class Taken:
    """One request that a destination took."""

    name: str
    delivery: str
    at: float
    attempt: str
    groups: tuple[str, ...] = ()

    @property
    def keys(self) -> set[tuple[str, str]]:
        """The deliveries that it is: its own, or those of the groups that a follow-up names."""
        return {(self.name, delivery) for delivery in covered(self.delivery, self.groups)}


@dataclass
class Result:
    """What came of it."""

    plan: Plan
    seconds: float = 0.0
    taken: list[Taken] = field(default_factory=list)
    dead: dict[tuple[str, str], str] = field(default_factory=dict)
    wanted: set[tuple[str, str]] = field(default_factory=set)
    # In which place, and when, each delivery was first queued.
    enqueued: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    # The security group of each event of which the order is judged, by its delivery.
    group_of: dict[str, str] = field(default_factory=dict)
    deaths: Counter[str] = field(default_factory=Counter)
    attempts: dict[str, str] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    throttles: int = 0
    unanswered: int = 0
    timeouts: int = 0
    failed_events: int = 0
    after_redrive: set[tuple[str, str]] = field(default_factory=set)

    @property
    def delivered(self) -> set[tuple[str, str]]:
        """What was taken."""
        return {key for each in self.taken for key in each.keys}

    @property
    def lost(self) -> set[tuple[str, str]]:
        """Neither delivered nor a dead letter."""
        return self.wanted - self.delivered - set(self.dead)

    @property
    def duplicates(self) -> Counter[str]:
        """Why a destination took what it had taken before: what became of the attempt before.

        An attempt that was written down must be the last; there is no cause for another after it.
        """
        latest: dict[tuple[str, str], Taken] = {}
        causes: Counter[str] = Counter()
        for each in sorted(self.taken, key=lambda taken: taken.at):
            before = latest.get((each.name, each.delivery))
            if before is not None:
                causes[self.attempts.get(before.attempt, "unknown")] += 1
            latest[each.name, each.delivery] = each
        return causes

    @property
    def unexplained(self) -> Counter[str]:
        """Repetitions with neither a death before the ledger was written, nor an answer that came too late."""
        return Counter({why: count for why, count in self.duplicates.items() if not _is_cause(why)})

    @property
    def never_written_down(self) -> int:
        """Attempts that were taken, and of which the ledger does not know though no function was killed."""
        return sum(each == NEVER_WRITTEN_DOWN for each in self.attempts.values())

    @property
    def in_the_window(self) -> int:
        """Deaths between sending and the ledger, whatever the destination did with what was sent."""
        return sum(each == SENDING for each in self.attempts.values())

    @property
    def disorder(self) -> list[str]:
        """Deliveries that overtook one before them about their security group; a dead letter has given its place up.

        The group is that of the event, whatever group id the product gave its message.
        """
        last: dict[str, int] = defaultdict(lambda: -1)
        seen: set[tuple[str, str]] = set()
        found = []
        for each in sorted(self.taken, key=lambda taken: taken.at):
            key = (each.name, each.delivery)
            if key in seen or key in self.dead or key not in self.enqueued or each.delivery not in self.group_of:
                continue
            seen.add(key)
            place, _ = self.enqueued[key]
            group = f"{each.name}/{self.group_of[each.delivery]}"
            if place < last[group]:
                found.append(f"{each.name}/{each.delivery} in {group}")
            last[group] = max(last[group], place)
        return found

    def latencies(self, name: str) -> list[float]:
        """Seconds from the queue to the destination, of each delivery."""
        own = [(each.at, (name, each.delivery)) for each in self.taken if each.name == name]
        return sorted(at - self.enqueued[key][1] for at, key in own if key in self.enqueued)

    def report(self) -> str:
        """The result in words."""
        plan = self.plan
        wanted, delivered = len(self.wanted), len(self.wanted & self.delivered)
        parts = {
            "events": f"{plan.events:,} of {plan.places} places to {len(NAMES)} destinations",
            "seed": f"{plan.seed}, {self.seconds:.0f} s",
            "requests that failed": f"{sum(self.faults.values()):,} ({_counts(self.faults)}), and TLS for 5 % besides",
            "functions killed": f"{sum(self.deaths.values()):,} at {len(self.deaths)} points",
            "functions at their time limit": str(self.timeouts),
            "AWS calls throttled": f"{self.throttles:,}; done but not answered: {self.unanswered:,}",
            "deliveries wanted": f"{wanted:,}; delivered: {delivered:,}",
            "dead letters": f"{len(self.dead):,} ({_counts(Counter(self.dead.values()))})",
            "lost": str(len(self.lost)),
            "out of order": str(len(self.disorder)),
            "duplicates": f"{sum(self.duplicates.values())} ({_counts(self.duplicates)})",
            "duplicates without a cause": str(sum(self.unexplained.values())),
            "taken and never written down": str(self.never_written_down),
            "follow-ups of bursts": str(sum(bool(each.groups) for each in self.taken)),
            "deaths between sending and the ledger, which bound those of that cause": str(self.in_the_window),
            "events that failed for good and were redriven": str(self.failed_events),
            "dead letters delivered by redrive": f"{len(self.after_redrive & set(self.dead)):,}",
        }
        return "\n".join(f"{name}: {said}" for name, said in parts.items())


def _is_cause(why: str) -> bool:
    return why == SENDING or "no answer" in why or "no complete answer" in why


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common()) or "none"


class Killed(Exception):  # noqa: N818 - it reads as what happened
    """The function's process ended without an answer."""


class Aws:
    """moto behind a gate that throttles, and that sometimes swallows the answer."""

    def __init__(self, plan: Plan, result: Result) -> None:
        self._plan = plan
        self._result = result
        self._random = random.Random(plan.seed + 1)
        self._clients: dict[str, Any] = {
            service: boto3.client(
                service,
                config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
            )
            for service in SERVICES
        }
        self._lock = threading.RLock()

    def call(self, service: str, operation: str, arguments: dict[str, Any]) -> tuple[bool, Any, bool]:
        """Whether the call succeeded, its answer or the error's response, and whether it was done all the same."""
        with self._lock:
            drawn = self._random.random()
            if drawn < self._plan.throttled:
                self._result.throttles += 1
                return False, {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, False
            try:
                answer = getattr(self._clients[service], operation)(**arguments)
            except ClientError as error:
                return False, error.response, False
            if operation == "send_message_batch":
                self._note(arguments, answer)
            if drawn < self._plan.throttled + self._plan.unanswered:
                self._result.unanswered += 1
                return False, None, True
            return True, answer, True

    def _note(self, arguments: dict[str, Any], answer: dict[str, Any]) -> None:
        """The first time that each delivery came into the queue, and in which place."""
        taken = {item["Id"] for item in answer.get("Successful", ())}
        for entry in arguments["Entries"]:
            body = json.loads(entry["MessageBody"])
            if entry["Id"] in taken and "destination" in body:
                delivery = entry["MessageDeduplicationId"].removesuffix("/" + body["destination"])
                key = (body["destination"], delivery)
                place = (len(self._result.enqueued), time.time())
                self._result.enqueued.setdefault(key, place)

    def receive(self) -> dict[str, Any] | None:
        """One message as Lambda's poller hands it over; None where none can be taken."""
        with self._lock:
            backend = sqs_backends[ACCOUNT][REGION]
            found = backend.receive_message(QUEUE, 1, 0, VISIBILITY_SECONDS)
        return _record(found[0]) if found else None

    def delete(self, record: dict[str, Any]) -> None:
        """Take a message away that was dealt with."""
        with self._lock:
            sqs_backends[ACCOUNT][REGION].delete_message(QUEUE, record["receiptHandle"])

    def url(self, name: str) -> str:
        with self._lock:
            return str(self._clients["sqs"].get_queue_url(QueueName=name)["QueueUrl"])

    def queued(self) -> int:
        """How many messages are in the queue, in flight or not."""
        with self._lock:
            return len(sqs_backends[ACCOUNT][REGION].queues[QUEUE]._messages)

    def redrive(self) -> int:
        """Send every dead letter again."""
        with self._lock:
            dead, back = self.url(DEAD), self.url(QUEUE)
            sent = 0
            while found := list(letters(self._clients["sqs"], dead)):
                for letter in found:
                    send_again(self._clients["sqs"], letter, back, dead)
                sent += len(found)
        return sent

    def dead(self) -> dict[tuple[str, str], str]:
        """The dead letters with their reasons, looked at without taking them."""
        with self._lock:
            messages = sqs_backends[ACCOUNT][REGION].queues[DEAD]._messages
            found = {}
            for message in messages:
                given = {name: item["StringValue"] for name, item in message.message_attributes.items()}
                groups = receivers.groups_in(json.loads(message.body).get("alert", {}))
                for delivery in covered(given.get("delivery", ""), groups):
                    found[given.get("destination", ""), delivery] = given.get("reason", "none")
            return found


def _record(message: Any) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "MessageGroupId": message.group_id,
        },
    }


class Worker:
    """A function's environment: one process, made anew after each death."""

    def __init__(self, number: int, plan: Plan, aws: Aws, result: Result, spec: Callable[[int], Spec]) -> None:
        self._number = number
        self._plan = plan
        self._aws = aws
        self._result = result
        self._spec = spec
        self._born = 0
        # The attempt under way, which a destination may have taken and the ledger has not.
        self._attempt = ""
        self._restart = False
        self._process: Any = None
        self._pipe: Connection | None = None

    def invoke(self, kind: str, document: object) -> Any:
        """The handler's answer.

        Raises:
            Killed: its process ended.
            RuntimeError: it raised.
        """
        if self._restart:
            self._end()
        pipe = self._pipe or self._start()
        pipe.send((kind, document))
        ends_at = time.monotonic() + TIME_LIMIT_SECONDS
        while True:
            if not pipe.poll(max(0.0, ends_at - time.monotonic())):
                self._result.timeouts += 1
                self._process.kill()
                self._hear_the_rest(pipe)
                self._end()
                raise Killed
            try:
                said, *rest = pipe.recv()
                if said == "call":
                    self._answer(pipe, *rest)
            except (EOFError, OSError):
                self._end()
                raise Killed from None
            if said in ("done", "failed") and self._attempt:
                self._result.attempts[self._attempt] = NEVER_WRITTEN_DOWN
                self._attempt = ""
            if said == "done":
                return rest[0]
            if said == "failed":
                raise RuntimeError(rest[0])
            self._hear(said, rest)

    def _hear(self, said: str, rest: list[Any]) -> None:
        match said:
            case "sending":
                if self._attempt:
                    self._result.attempts[self._attempt] = NEVER_WRITTEN_DOWN
                self._attempt = rest[0]
                self._result.attempts[self._attempt] = SENDING
            case "not taken":
                self._result.attempts[self._attempt] = rest[0]
                self._attempt = ""
            case "dying":
                self._result.deaths[rest[0]] += 1

    def _hear_the_rest(self, pipe: Connection) -> None:
        """What the process said between the last look and its end: it may have begun to send."""
        with suppress(EOFError, OSError):
            while True:
                said, *rest = pipe.recv()
                self._hear(said, rest)

    def _answer(self, pipe: Connection, service: str, operation: str, arguments: dict[str, Any]) -> None:
        succeeded, answer, done = self._aws.call(service, operation, arguments)
        key = arguments.get("Key", {}).get("pk", {}).get("S", "")
        if done and operation == "update_item" and key.startswith("delivery#") and self._attempt:
            self._result.attempts[self._attempt] = WRITTEN_DOWN
            self._attempt = ""
        pipe.send((succeeded, answer))

    def _start(self) -> Connection:
        ours, theirs = CONTEXT.Pipe()
        self._born += 1
        seed = hash((self._plan.seed, self._number, self._born))
        self._process = CONTEXT.Process(target=work, args=(theirs, self._spec(seed)), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe = ours
        return ours

    def _end(self) -> None:
        self._attempt = ""
        # A function ends when its pipe does; one that sends no answer was killed already.
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.join()
        self._pipe = None
        self._restart = False

    def restart(self) -> None:
        """Let the next invocation have a new process."""
        self._restart = True

    def stop(self) -> None:
        """End the process."""
        self._end()


def event(number: int, group: str, place: tuple[str, str] = PLACES[0], *, is_low: bool = False) -> dict[str, Any]:
    """An EventBridge event: SSH opened to the world, which is critical and so never folded, or to a private range.

    One of another place than the stage's is as a forwarder brings it: with its own account and region.
    """
    account, region = place
    item = {
        "groups": {},
        "ipProtocol": "tcp",
        "fromPort": 22,
        "toPort": 22,
        "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8" if is_low else "0.0.0.0/0"}]},
        "ipv6Ranges": {},
        "prefixListIds": {},
    }
    who = f"alice-{number % 3}"
    return {
        "version": "0",
        "id": str(uuid.UUID(int=number + 2**64)),
        "source": "aws.ec2",
        "detail-type": "AWS API Call via CloudTrail",
        "account": account,
        "region": region,
        "detail": {
            "eventVersion": "1.09",
            "eventID": event_id(number),
            "eventTime": "2026-11-23T10:00:00Z",
            "eventSource": "ec2.amazonaws.com",
            "eventName": "AuthorizeSecurityGroupIngress",
            "awsRegion": region,
            "recipientAccountId": account,
            "userIdentity": {"type": "IAMUser", "userName": who, "accountId": account},
            "requestParameters": {"groupId": group, "ipPermissions": {"items": [item]}},
            "responseElements": {"_return": True},
        },
    }


LOW_GROUP = re.compile(r"sg-9(\d{7})")


def low_group(number: int) -> str:
    """The group of an event of low severity, which no other event is about."""
    return f"sg-9{number:07d}"


def delivery_of(number: int) -> str:
    """The id under which the alert of an event is delivered."""
    return f"security_group_change-{event_id(number)}"


def covered(delivery: str, groups: Iterable[str]) -> set[str]:
    """The deliveries that one request is: its own, or for a burst's follow-up those of the groups it names."""
    numbers = [match[1] for match in map(LOW_GROUP.fullmatch, groups) if match]
    return {delivery_of(int(number)) for number in numbers} or {delivery}


def event_id(number: int) -> str:
    """The id of an event."""
    return str(uuid.UUID(int=number))


class Campaign:
    """Runs a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.result = Result(plan)
        self._random = random.Random(plan.seed)
        self._events: queue.Queue[tuple[dict[str, Any], int]] = queue.Queue()
        self._failed: list[dict[str, Any]] = []
        self._records: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._idle = threading.Semaphore(0)
        self._alerting = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> Result:
        """Everything from the first event to the last redriven letter."""
        began = time.monotonic()
        with self._running() as (aws, tell):
            self._feed()
            self._until_quiet(aws, began)
            # Somebody redrives the events that the alert function failed on for good.
            while self._failed:
                self.result.failed_events += len(self._failed)
                again, self._failed = self._failed, []
                for document in again:
                    self._events.put((document, 0))
                self._until_quiet(aws, began)
            self.result.dead = aws.dead()
            self._collect(tell("log"))
            self.result.seconds = time.monotonic() - began
            self._redrive(aws, tell, began)
        return self.result

    def _collect(self, log: str) -> None:
        document = json.loads(log)
        taken = [Taken(name, what, at, attempt, tuple(groups)) for name, what, at, attempt, groups in document["taken"]]
        self.result.taken = [each for each in taken if not each.delivery.startswith("delivery_problem")]
        self.result.faults = Counter(document["faults"])
        self.result.dead = {key: why for key, why in self.result.dead.items() if not key[1].startswith("delivery_p")}

    def _redrive(self, aws: Aws, tell: Callable[[str], str], began: float) -> None:
        tell("sound")
        self.spec_urls = {name: f"{self.base}/{name}" for name in NAMES}
        for worker in self._workers:
            worker.restart()
        aws.redrive()
        self._until_quiet(aws, began)
        taken = json.loads(tell("log"))["taken"]
        self.result.after_redrive = {
            (name, each) for name, what, _, _, groups in taken for each in covered(what, groups)
        }

    @contextmanager
    def _running(self) -> Iterator[tuple[Aws, Callable[[str], str]]]:
        ours, theirs = CONTEXT.Pipe()
        arguments = (theirs, self.plan.seed, self.plan.faults, self.plan.answer_seconds)
        server = CONTEXT.Process(target=receivers.serve, args=arguments, daemon=True)
        server.start()
        port, broken_port = ours.recv()
        self.base = f"http://127.0.0.1:{port}"
        self.spec_urls = {name: f"{self.base}/{name}" for name in NAMES}
        if self.plan.down is not None:
            self.spec_urls[self.plan.down] = "http://127.0.0.1:1/"  # nobody listens there

        def spec(seed: int) -> Spec:
            broken = f"https://127.0.0.1:{broken_port}/"
            plan = self.plan
            policy = (plan.retry_policy, plan.burst_seconds, plan.mutant)
            return Spec(seed, QUEUE, TABLE, self.spec_urls, broken, plan.death, *policy)

        def tell(question: str) -> str:
            ours.send(question)
            return str(ours.recv())

        with mock_aws():
            made = Config(retries={"total_max_attempts": 1})
            make_resources(boto3.client("sqs", config=made), boto3.client("dynamodb"), VISIBILITY_SECONDS)
            aws = Aws(self.plan, self.result)
            threads = self._start(aws, spec)
            try:
                yield aws, tell
            finally:
                self._stopping.set()
                for _ in range(self.plan.workers):
                    self._records.put(None)
                for thread in threads:
                    thread.join(TIME_LIMIT_SECONDS + 2)
                for worker in self._workers:
                    worker.stop()
                ours.close()
                server.terminate()

    def _start(self, aws: Aws, spec: Callable[[int], Spec]) -> list[threading.Thread]:
        count = self.plan.workers + self.plan.alert_workers
        self._workers = [Worker(number, self.plan, aws, self.result, spec) for number in range(count)]
        tasks: list[Callable[[Worker], None]] = [lambda w: self._deliver(w, aws)] * self.plan.workers
        tasks += [lambda w: self._alert(w, aws)] * self.plan.alert_workers
        threads = [
            threading.Thread(target=task, args=(worker,), daemon=True)
            for task, worker in zip(tasks, self._workers, strict=True)
        ]
        threads.append(threading.Thread(target=self._poll, args=(aws,), daemon=True))
        for thread in threads:
            thread.start()
        return threads

    def _feed(self) -> None:
        """Events in stretches of twenty, each stretch shuffled, some events twice."""
        for first in range(0, self.plan.events, 20):
            numbers = list(range(first, min(first + 20, self.plan.events)))
            numbers += [each for each in numbers if self._random.random() < self.plan.duplicated]
            self._random.shuffle(numbers)
            for number in numbers:
                is_low = number % 10 < self.plan.low * 10
                group = low_group(number) if is_low else f"sg-{number % self.plan.groups:05d}"
                place = PLACES[number % self.plan.places]
                self._events.put((event(number, group, place, is_low=is_low), 0))
                delivery = delivery_of(number)
                if not is_low:
                    self.result.group_of[delivery] = "/".join((*place, group))
                self.result.wanted |= {(name, delivery) for name in NAMES}

    def _alert(self, worker: Worker, aws: Aws) -> None:
        """Lambda's asynchronous invocation: two more attempts, then the on-failure destination."""
        while not self._stopping.is_set():
            if aws.queued() > MOST_QUEUED and self.plan.down is None:
                time.sleep(0.05)
                continue
            with self._lock:
                try:
                    document, attempts = self._events.get_nowait()
                except queue.Empty:
                    document = None
                else:
                    self._alerting += 1
            if document is None:
                time.sleep(0.02)
                continue
            try:
                worker.invoke("alert", document)
            except (Killed, RuntimeError):
                if attempts < 2:
                    self._events.put((document, attempts + 1))
                else:
                    self._failed.append(document)
            with self._lock:
                self._alerting -= 1
            time.sleep(self.plan.pace)

    def _poll(self, aws: Aws) -> None:
        """Lambda's poller: one message at a time, to whichever function is idle."""
        while not self._stopping.is_set():
            if not self._idle.acquire(timeout=0.2):
                continue
            record = aws.receive()
            while record is None and not self._stopping.is_set():
                time.sleep(0.02)
                record = aws.receive()
            self._records.put(record)

    def _deliver(self, worker: Worker, aws: Aws) -> None:
        """One invocation for one message, and away with it unless it was reported."""
        while not self._stopping.is_set():
            self._idle.release()
            record = self._records.get()
            if record is None:
                return
            try:
                answer = worker.invoke("deliver", {"Records": [record]})
            except (Killed, RuntimeError):
                continue
            if not answer["batchItemFailures"]:
                aws.delete(record)

    def _until_quiet(self, aws: Aws, began: float) -> None:
        told_at = began
        while True:
            if time.monotonic() - told_at > 60:
                told_at = time.monotonic()
                done = len(self.result.enqueued) - aws.queued()
                print(f"{told_at - began:.0f} s: {done:,} of {len(self.result.wanted):,} done", file=sys.stderr)
            with self._lock:
                quiet = self._events.empty() and self._alerting == 0
            if quiet and aws.queued() == 0:
                return
            if time.monotonic() - began > self.plan.limit_seconds:
                raise TimeoutError(f"{aws.queued()} messages are still queued; so far:\n{self.result.report()}")
            time.sleep(0.1)
