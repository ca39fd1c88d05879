"""Reading what may never end: a pipe, a device or standard input, so that Ctrl-C is not lost.

CPython looks for a signal before a system call; one that comes between that look and a blocking read leaves the
read waiting. ``signal.set_wakeup_fd`` has the signal write a byte, which ends ``select``.
https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 1 << 20


def read_to_end(descriptor: int) -> bytes:
    """Everything that can be read; KeyboardInterrupt whenever Ctrl-C is pressed."""
    if threading.current_thread() is not threading.main_thread():  # signals come to the main thread alone
        return b"".join(iter(lambda: os.read(descriptor, CHUNK), b""))
    chunks: list[bytes] = []
    with _woken_by_signals() as wakeup:
        while True:
            ready, _, _ = select.select([descriptor, wakeup.fileno()], [], [])
            if wakeup.fileno() in ready:  # the signal's own handler has run by now, or runs next
                wakeup.recv(CHUNK)
                continue
            chunk = os.read(descriptor, CHUNK)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)


@contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """A socket that becomes readable with every signal."""
    receiver, sender = socket.socketpair()
    with receiver, sender:
        sender.setblocking(False)  # the library's own signature
        before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        try:
            yield receiver
        finally:
            signal.set_wakeup_fd(before)
