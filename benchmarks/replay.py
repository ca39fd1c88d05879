"""How long ``sgwatch replay`` takes for gzip log files, as a multiple of ``gzip -dc FILES | wc -c``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.samples import write_log_files

TARGET = 1.5
ROUNDS = 3


def _seconds(command: list[str]) -> float:
    """The best of a few runs: what else the machine does only ever adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - begun)
    return best


def _replay(folder: Path) -> list[str]:
    return [sys.executable, "-m", "sgwatch", "replay", "--format", "json", str(folder)]


def _peak_megabytes(folder: Path) -> float:
    """The most memory that any one of the command's processes had."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=-3, stderr=-3); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *_replay(folder)], check=True, capture_output=True, text=True)
    kilobytes = int(done.stdout) / (1024 if sys.platform == "darwin" else 1)
    return kilobytes / 1024


def main() -> int:
    """Measure, print, and say by the exit status whether the target is met."""
    with tempfile.TemporaryDirectory() as made:
        few, many = Path(made, "few"), Path(made, "many")
        for folder, files in ((few, 10), (many, 100)):
            folder.mkdir()
            write_log_files(folder, files, records=3_000)
        packed = sum(item.stat().st_size for item in many.iterdir())
        gzip = _seconds(["sh", "-c", f"gzip -dc {many}/*.gz | wc -c"])
        replay = _seconds(_replay(many))
        print(f"replay: {packed / 2**20:.0f} MiB in 100 gzip log files, 1 record in 500 watched")
        print(f"  gzip -dc | wc -c   {gzip:6.2f} s")
        print(f"  sgwatch replay     {replay:6.2f} s   {replay / gzip:.2f} times (target: at most {TARGET})")
        print(
            f"  peak memory        {_peak_megabytes(few):.0f} MiB for 10 files, {_peak_megabytes(many):.0f} MiB for 100"
        )
    return 0 if replay <= TARGET * gzip else 1


if __name__ == "__main__":
    sys.exit(main())
