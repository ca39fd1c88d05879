"""Forks a process for each command line of ``sgwatch``, with what commands import loaded once.

    python -m tests.support.command_server DESCRIPTOR

Reads requests from the socket with that descriptor (see ``tests.support.command_line``) and answers each with
the new process's id and then its status. The process itself goes on as ``python -m sgwatch`` would: with its
own arguments, folder, environment and standard streams.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import socket
import struct
import sys
import threading
from typing import Any, NoReturn

LENGTH = struct.Struct("!I")
NUMBER = struct.Struct("!i")
# What commands import when they run.
LATE = ("boto3", "jsonschema", "rich.console", "rich.table", "typer.rich_utils")


def receive(connection: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return received


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Turn this process into one that was started for the request."""
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["sgwatch", *request["words"]]
    sys.path[0] = request["folder"]
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115


def forked(connection: socket.socket) -> bool:
    """Serve requests; true in a process that a request was forked for, false at the end of them."""
    while True:
        header, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 3)
        if not header:
            return False
        request = json.loads(receive(connection, *LENGTH.unpack(header)))
        process = os.fork()
        if process == 0:
            connection.close()
            become(request, descriptors)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(NUMBER.pack(process))
        connection.sendall(NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])))


def run() -> NoReturn:
    """Do what ``python -m sgwatch`` does, and end as Python ends: threads, what was registered, what is not flushed.

    Only modules are not torn down, which would touch, and thereby copy, every page of memory.
    """
    from sgwatch.__main__ import main  # noqa: PLC0415

    status: object = 0
    try:
        main()
    except SystemExit as ended:
        status = 0 if ended.code is None else ended.code
    except BaseException:  # noqa: BLE001 - printed, as Python prints what nothing has caught
        sys.excepthook(*sys.exc_info())
        status = 1
    if not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stderr.flush()
        sys.stdout.flush()
    except OSError:  # https://docs.python.org/3/library/sys.html#sys.exit
        status = 120
    os._exit(status & 0xFF)


def load() -> None:
    """Import every command and what they import when they run."""
    from sgwatch.__main__ import COMMANDS  # noqa: PLC0415

    for command in COMMANDS:
        command.load()
    # The grammar of IRIs that jsonschema makes with it takes over a second, and no schema here has an IRI.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    for name in LATE:
        importlib.import_module(name)


if __name__ == "__main__":
    load()
    gc.collect()
    gc.freeze()
    if forked(socket.socket(fileno=int(sys.argv[1]))):
        run()
