"""Ctrl-C ends a read that waits, at whatever moment it comes."""

from __future__ import annotations

import os
import random
import signal
import threading

import pytest

from sgwatch.pipe_reading import read_to_end


@pytest.fixture(name="pipe")
def _pipe() -> tuple[int, int]:
    return os.pipe()


def test_everything_that_is_written_is_read(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    expected = b"x" * 3_000_000

    def write() -> None:
        with os.fdopen(writer, "wb") as stream:
            stream.write(expected)

    thread = threading.Thread(target=write)
    thread.start()
    assert read_to_end(reader) == expected
    thread.join(timeout=10)
    os.close(reader)


def read_interrupted(reader: int, seconds: float) -> None:
    """Read, and be interrupted so many seconds later."""
    later = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    later.start()
    read_to_end(reader)


def test_an_interrupt_at_any_moment_ends_the_read(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    moments = random.Random(20261130)
    try:
        for _ in range(100):
            with pytest.raises(KeyboardInterrupt):
                read_interrupted(reader, moments.uniform(0, 0.003))
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(reader)
        os.close(writer)


def test_a_handled_signal_ends_no_read(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))

    def disturb() -> None:
        for _ in range(20):
            os.kill(os.getpid(), signal.SIGUSR1)
        os.write(writer, b"after")
        os.close(writer)

    thread = threading.Thread(target=disturb)
    try:
        thread.start()
        assert read_to_end(reader) == b"after"
        assert seen
    finally:
        thread.join(timeout=10)
        signal.signal(signal.SIGUSR1, before)
        os.close(reader)


def test_another_thread_reads_without_signals(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"here")
    os.close(writer)
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(read_to_end(reader)))
    thread.start()
    thread.join(timeout=10)
    assert found == [b"here"]
    os.close(reader)
