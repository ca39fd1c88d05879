"""``fleet status`` and ``audit --organization`` over an organization of 50 accounts and 17 regions, on loopback.

``python -m benchmarks.fleet_scale`` prints the table of docs/fleet.md. The commands are processes of their own; the
server that answers them (organization_answers.py) is another, and its processor time is shown beside theirs.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIZES = (10, 50)
EXTRAPOLATED = (500, 10_000)
MOST_SECONDS, MOST_POWER, MOST_MB = 120.0, 1.05, 300.0
COMMANDS = {
    "fleet status --organization": ("fleet", "status", "--stage", "dev", "--organization", "--json"),
    "audit --organization": ("audit", "--organization", "--stage", "dev", "--json"),
}


@dataclass(frozen=True, slots=True)
class FleetRun:
    """One command over one organization; ``seconds`` is wall time, ``ours`` and ``servers`` are processor time."""

    command: str
    accounts: int
    seconds: float
    ours: float
    servers: float
    megabytes: float
    calls: int
    throttled: int
    places: int


def run(name: str, accounts: int) -> FleetRun:
    """Run one command to its end; it has to find everything in order."""
    words = [sys.executable, "-m", "benchmarks.organization_answers", str(accounts)]
    server = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    endpoint = f"http://127.0.0.1:{int(server.stdout.readline())}"
    keys = {"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-west-1"}
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT), **keys}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "sgwatch", *COMMANDS[name]],
        cwd=ROOT,
        env=environ | {"AWS_ENDPOINT_URL": endpoint},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    document = json.load(process.stdout)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    server.stdin.close()
    calls, throttled, servers = json.loads(server.stdout.readline())
    server.wait(10)
    assert os.waitstatus_to_exitcode(status) == 0, document["status"]
    places = len(document.get("regions", ())) or len(document["accounts"])
    return FleetRun(
        name, accounts, seconds, used.ru_utime + used.ru_stime, servers, used.ru_maxrss / 1024, calls, throttled, places
    )


def power(small: FleetRun, large: FleetRun) -> float:
    """1 where ten times as many accounts take ten times as long; of our own processor time."""
    return math.log(large.ours / small.ours) / math.log(large.accounts / small.accounts)


def extrapolated(small: FleetRun, large: FleetRun, accounts: int) -> float:
    """Seconds with as many accounts, from the slope between the two."""
    each = (large.seconds - small.seconds) / (large.accounts - small.accounts)
    return large.seconds + each * (accounts - large.accounts)


def main() -> int:
    """Print the table; status 1 where a target is missed."""
    heads = ("command", "accounts", "calls", "throttled", "seconds", "CPU", "server's CPU", "peak MB")
    print(f"17 regions, {os.cpu_count()} cores\n")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    missed = []
    for name in COMMANDS:
        small, large = (run(name, accounts) for accounts in SIZES)
        for each in (small, large):
            numbers = f"{each.seconds:.1f} | {each.ours:.1f} | {each.servers:.1f} | {each.megabytes:.0f}"
            print(f"| `{name}` | {each.accounts} | {each.calls:,} | {each.throttled:,} | {numbers} |", flush=True)
        grows = power(small, large)
        later = ", ".join(f"{size:,} accounts {extrapolated(small, large, size):,.0f} s" for size in EXTRAPOLATED)
        print(f"| | | | | power {grows:.2f}; {later} | | | |", flush=True)
        if large.seconds > MOST_SECONDS or grows > MOST_POWER or large.megabytes > MOST_MB:
            missed.append(name)
    print(f"missed: {', '.join(missed)}" if missed else "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
