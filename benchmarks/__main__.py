"""Runs every benchmark; exit status 1 where one misses its target."""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = ("cold_start", "warm_alert", "fan_out", "replay", "alarm_path", "report_size")

if __name__ == "__main__":
    sys.exit(max(import_module(f"benchmarks.{name}").main() or 0 for name in NAMES))
