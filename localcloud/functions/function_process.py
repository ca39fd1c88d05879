"""One process that runs one function, from its cold start to its end."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.functions.runtime_api import RuntimeAnswer, RuntimeApi, Work, error_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LAUNCHER = Path(__file__).with_name("launcher.py")
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.02


class StoppedError(Exception):
    """The local cloud is being stopped: nothing is started any more."""


@dataclass(slots=True)
class FunctionProcess:
    """A function process. It serves one event at a time and dies of a timeout or of too much memory."""

    handler: str
    task_root: Path
    environment: Mapping[str, str]
    memory_mb: int
    on_output: Callable[[str], None]
    init_seconds: float = 0.0
    peak_mb: int = 0
    _api: RuntimeApi = field(default_factory=RuntimeApi)
    _process: subprocess.Popen[bytes] | None = None
    _reader: threading.Thread | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def start(self) -> RuntimeAnswer | None:
        """Start the process and wait until it asks for work; the error where it cannot be initialized."""
        began = time.monotonic()
        with self._guard:
            if self._stopped:
                raise StoppedError
            self._spawn({**self.environment, "AWS_LAMBDA_RUNTIME_API": self._api.start()})
        failed = self._await_ready(began + INIT_TIMEOUT_SECONDS)
        self.init_seconds = time.monotonic() - began
        return failed

    def _spawn(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-S", str(LAUNCHER), self.handler],
            cwd=self.task_root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in a terminal is for the local cloud, which then ends its functions
        )
        self._reader = threading.Thread(target=self._read_output, daemon=True, name="localcloud-function-output")
        self._reader.start()

    def _await_ready(self, deadline: float) -> RuntimeAnswer | None:
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                self._api.ready.get(timeout=POLL_SECONDS)
                return None
            with contextlib.suppress(queue.Empty):
                return self._api.answers.get_nowait()
            if not self.alive:
                return self._exit_error(None)
        return RuntimeAnswer(None, error_payload("Sandbox.Timedout", "Init did not finish in 10 s"), failed=True)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def invoke(self, work: Work, timeout_seconds: float) -> RuntimeAnswer:
        """Run one event. A timeout, too much memory or an exit ends the process and is an error."""
        self._api.submit(work)
        deadline = time.monotonic() + timeout_seconds
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                answer = self._api.answers.get(timeout=min(POLL_SECONDS, left))
                self._measure()
                if not answer.failed or answer.request_id is not None:
                    return answer
            self._measure()
            if self.peak_mb > self.memory_mb:
                self.stop()
                message = f"RequestId: {work.request_id} Error: Runtime exited with error: signal: killed"
                return RuntimeAnswer(work.request_id, error_payload("Runtime.ExitError", message), failed=True)
            if not self.alive:
                return self._exit_error(work.request_id)
        self.stop()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        message = f"{stamp} {work.request_id} Task timed out after {timeout_seconds:.2f} seconds"
        self.on_output(message)
        return RuntimeAnswer(work.request_id, error_payload("Sandbox.Timedout", message), failed=True)

    def _exit_error(self, request_id: str | None) -> RuntimeAnswer:
        with contextlib.suppress(queue.Empty):  # an error that it reported with its last breath says more
            return self._api.answers.get(timeout=0.1)
        status = self._process.returncode if self._process else None
        message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {status}"
        return RuntimeAnswer(request_id, error_payload("Runtime.ExitError", message), failed=True)

    def _measure(self) -> None:
        if self._process is None:
            return
        # Where there is no /proc, the memory limit is not enforced.
        with contextlib.suppress(OSError, IndexError):
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
            self.peak_mb = max(self.peak_mb, pages * os.sysconf("SC_PAGE_SIZE") // 1_048_576)

    def _read_output(self) -> None:
        if self._process is None or self._process.stdout is None:
            return
        for line in self._process.stdout:
            self.on_output(line.decode(errors="replace").rstrip("\n"))

    def stop(self) -> None:
        """End the process and whatever it started."""
        with self._guard:
            self._stopped = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            if self._reader is not None:
                self._reader.join(timeout=1)
            if self._process.stdout is not None:
                self._process.stdout.close()
        self._api.stop()
