"""Every function that is deployed in the endpoint, and the processes that run them.

A process is kept for the next event, as Lambda keeps its environments: the first event of each is a
cold start. A function whose code or configuration changed gets new processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import lambda_backends
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from localcloud.callers import PARTITION, Credentials
from localcloud.functions.function_process import FunctionProcess, StoppedError
from localcloud.functions.package import unpack
from localcloud.functions.runtime_api import RuntimeAnswer, Work
from localcloud.gaps.function_metrics import count_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MAX_CONCURRENCY = 8
# Of one function, whose events otherwise keep those of all others waiting while each starts a process of its own.
MAX_FUNCTION_CONCURRENCY = 2
KEPT_INVOCATIONS = 1000
KEPT_LINES = 20_000


@dataclass(frozen=True, slots=True)
class FunctionRun:
    """One run of a function. ``payload`` is its result or its error; the times are in seconds."""

    function_name: str
    request_id: str
    event: bytes
    payload: bytes
    failed: bool
    cold: bool
    init_seconds: float
    duration_seconds: float
    peak_mb: int
    started_at: datetime

    @property
    def error(self) -> dict[str, Any] | None:
        """The error as an object with ``errorType`` and ``errorMessage``; None for a success."""
        return json.loads(self.payload) if self.failed else None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a function wrote, or that Lambda wrote about it."""

    function_name: str
    at: datetime
    text: str


@dataclass(slots=True)
class FunctionPool:
    """Runs functions that moto's Lambda holds. ``endpoint`` is the URL that their AWS calls go to.

    ``data_path`` has the service models of an older SDK. ``destinations`` are the variables of a function that was
    deployed with none of them.
    """

    root: Path
    runtime: Path
    endpoint: Callable[[], str]
    lock: threading.RLock
    on_log: Callable[[LogLine], None]
    on_credentials: Callable[[str], None]
    data_path: Path | None = None
    destinations: Mapping[str, str] = field(default_factory=dict)
    invocations: deque[FunctionRun] = field(default_factory=lambda: deque(maxlen=KEPT_INVOCATIONS))
    logs: deque[LogLine] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _idle: dict[str, list[FunctionProcess]] = field(default_factory=dict)
    _workers: dict[int, FunctionProcess] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MAX_CONCURRENCY))
    _turns: dict[str, threading.BoundedSemaphore] = field(default_factory=dict)
    _stopped: bool = False

    def find(self, arn: str) -> Any | None:
        """moto's function of an ARN (its alias or version set aside); None where there is none."""
        parts = arn.split(":")
        with self.lock:
            functions = lambda_backends[parts[4]][parts[3]].list_functions()
            return next((item for item in functions if item.function_name == parts[6]), None)

    def invoke(self, function: Any, event: bytes) -> FunctionRun:
        """Run a function on an event and wait for its end."""
        with self._turn(function), self._slots:
            request_id = str(uuid.uuid4())
            started_at, began = datetime.now(UTC), time.monotonic()
            key = _version_key(function)
            worker = self._take(key)
            cold = worker is None
            failed: RuntimeAnswer | None = None
            if worker is None:
                worker = self._new_worker(function)
                failed = worker.start()
            init_seconds = worker.init_seconds if cold else 0.0
            self._log(function, f"START RequestId: {request_id} Version: $LATEST")
            ran = time.monotonic()
            answer = failed or worker.invoke(self._work(function, request_id, event), float(function.timeout))
            duration = time.monotonic() - ran
            self._give_back(key, worker)
            self._report(function, request_id, duration, init_seconds if cold else None, worker.peak_mb)
            invocation = FunctionRun(
                function_name=function.function_name,
                request_id=request_id,
                event=event,
                payload=answer.payload,
                failed=answer.failed,
                cold=cold,
                init_seconds=init_seconds,
                duration_seconds=time.monotonic() - began,
                peak_mb=worker.peak_mb,
                started_at=started_at,
            )
            self.invocations.append(invocation)
            self._count(function, invocation)
            return invocation

    def _turn(self, function: Any) -> threading.BoundedSemaphore:
        with self._guard:
            arn = str(function.function_arn)
            return self._turns.setdefault(arn, threading.BoundedSemaphore(MAX_FUNCTION_CONCURRENCY))

    def _count(self, function: Any, invocation: FunctionRun) -> None:
        account_id = function.function_arn.split(":")[4]
        with self.lock:
            count_run(
                account_id,
                function.region,
                invocation.function_name,
                invocation.started_at,
                failed=invocation.failed,
            )

    def _work(self, function: Any, request_id: str, event: bytes) -> Work:
        deadline_ms = int((time.time() + float(function.timeout)) * 1000)
        return Work(request_id, event, function.function_arn, deadline_ms)

    def _take(self, key: str) -> FunctionProcess | None:
        with self._guard:
            idle = self._idle.get(key, [])
            while idle:
                worker = idle.pop()
                if worker.alive:
                    return worker
                self._discard(worker)
        return None

    def _give_back(self, key: str, worker: FunctionProcess) -> None:
        with self._guard:
            if worker.alive and not self._stopped:
                self._idle.setdefault(key, []).append(worker)
                return
            self._discard(worker)
        worker.stop()

    def _discard(self, worker: FunctionProcess) -> None:
        self._workers.pop(id(worker), None)

    def _new_worker(self, function: Any) -> FunctionProcess:
        with self._guard:
            if self._stopped:
                raise StoppedError
            task_root = unpack(function.code_bytes, self.root)
        worker = FunctionProcess(
            handler=function.handler,
            task_root=task_root,
            environment=self._environment(function, task_root),
            memory_mb=int(function.memory_size),
            on_output=lambda line: self._log(function, line),
        )
        with self._guard:
            if self._stopped:
                raise StoppedError
            self._workers[id(worker)] = worker
        return worker

    def _environment(self, function: Any, task_root: Path) -> dict[str, str]:
        """What Lambda defines, then the function's own variables.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        region, name = function.region, function.function_name
        defined = {
            "_HANDLER": function.handler,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{platform.python_version().rpartition('.')[0]}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}",
            "LAMBDA_TASK_ROOT": str(task_root),
            "LANG": "en_US.UTF-8",
            "PATH": os.defpath,
            "PYTHONPATH": f"{task_root}{os.pathsep}{self.runtime}",
            "PYTHONUNBUFFERED": "1",
            "TZ": ":UTC",
            "AWS_ENDPOINT_URL": self.endpoint(),
        }
        if self.data_path is not None:
            defined["AWS_DATA_PATH"] = str(self.data_path)
        own = dict(function.environment_vars)
        given = {} if self.destinations.keys() & own.keys() else dict(self.destinations)
        return defined | self.credentials(function).environment() | given | own

    def credentials(self, function: Any) -> Credentials:
        """A session of the function's role, named after the function as Lambda names it."""
        account_id = function.role.split(":")[4]
        with self.lock:
            session = sts_backends[account_id][PARTITION].assume_role(
                region_name=function.region,
                role_session_name=function.function_name,
                role_arn=function.role,
                policy="",
                duration=43_200,
                external_id="",
            )
        self.on_credentials(session.access_key_id)
        return Credentials(session.access_key_id, session.secret_access_key, session.session_token)

    def _log(self, function: Any, text: str) -> None:
        if self._stopped:
            return
        line = LogLine(function.function_name, datetime.now(UTC), text)
        self.logs.append(line)
        # Lambda writes with the function's role. https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
        if self._has_role(function):
            self.on_log(line)

    def _has_role(self, function: Any) -> bool:
        with self.lock:
            return any(
                role.arn == function.role
                for role in iam_backends[function.role.split(":")[4]][PARTITION].roles.values()
            )

    def _report(self, function: Any, request_id: str, seconds: float, init: float | None, peak_mb: int) -> None:
        milliseconds = seconds * 1000
        self._log(function, f"END RequestId: {request_id}")
        started = "" if init is None else f"\tInit Duration: {init * 1000:.2f} ms"
        self._log(
            function,
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\tBilled Duration: {milliseconds:.0f} ms\t"
            f"Memory Size: {function.memory_size} MB\tMax Memory Used: {peak_mb} MB{started}",
        )

    def stop(self) -> None:
        """End every process."""
        with self._guard:
            self._stopped = True
            workers = list(self._workers.values())
            self._workers.clear()
            self._idle.clear()
        for worker in workers:
            worker.stop()


def _version_key(function: Any) -> str:
    """Changes when the function's code or configuration does."""
    parts = [
        function.function_arn,
        hashlib.sha256(function.code_bytes).hexdigest(),
        function.handler,
        str(function.memory_size),
        function.role,
        json.dumps(function.environment_vars, sort_keys=True),
    ]
    return "\n".join(parts)
