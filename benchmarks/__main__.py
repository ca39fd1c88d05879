"""Runs every benchmark; exit status 1 where one misses its target."""

from __future__ import annotations

import subprocess
import sys
import time

NAMES = ("cold_start", "warm_alert", "fan_out", "replay", "alarm_path", "growth", "report_size", "fleet_scale")


def main() -> int:
    """Run them in turn; what missed its target, or broke, stands last."""
    begun, missed = time.perf_counter(), []
    for name in NAMES:
        print(f"== {name}", flush=True)
        # Each in a process of its own, so that none measures what another left in memory.
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            missed.append(name)
    verdict = f"MISSED: {', '.join(missed)}" if missed else "every target is met"
    print(f"{time.perf_counter() - begun:.0f} s; {verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
