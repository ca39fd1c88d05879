"""How long ``sgwatch replay`` takes for gzip log files, as a multiple of ``gzip -dc FILES | wc -c``.

CloudTrail writes a file about every five minutes: large ones in busy accounts, a great many small ones in quiet ones.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.samples import write_log_files

ROUNDS = 3
# Files, records in each, and the most that replay may take as a multiple of the reference.
SHAPES = ((100, 3_000, 1.0), (20_000, 8, 1.5))
# Files, records in each, one watched in so many, and the most milliseconds on the clock that an alert may take.
WATCHED_OFTEN = (10, 3_000, 5, 0.25)


def in_turns(commands: dict[str, list[str]]) -> dict[str, list[float]]:
    """Seconds of each command in each round, taken in turns."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(ROUNDS + 1):
        for name, command in commands.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if number:  # the first round fills the disk's cache
                taken[name].append(time.perf_counter() - begun)
    return taken


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


def _measure(folder: Path, files: int, records: int, target: float) -> bool:
    folder.mkdir()
    write_log_files(folder, files, records=records)
    gzip = ["sh", "-c", f"find {folder} -name '*.gz' -print0 | xargs -0 gzip -dc | wc -c"]
    taken = in_turns({"replay": _replay(folder), "gzip": gzip})
    ratios = [ours / theirs for ours, theirs in zip(taken["replay"], taken["gzip"], strict=True)]
    ratio, met = statistics.median(ratios), statistics.median(ratios) <= target
    print(
        f"replay of {files:,} gzip files of {records:,} records, 1 in 500 watched: "
        f"{statistics.median(taken['replay']):.2f} s, gzip -dc | wc -c {statistics.median(taken['gzip']):.2f} s: "
        f"{ratio:.2f} × ({min(ratios):.2f} to {max(ratios):.2f}; at most {target}: {'met' if met else 'MISSED'}); "
        f"peak memory {_peak_megabytes(folder):.0f} MiB"
    )
    return met


def _measure_alerts(folder: Path, files: int, records: int, every: int, target: float) -> bool:
    """The time beyond that for the same files without a watched record, for each alert."""
    for name in ("watched", "unwatched"):
        (folder / name).mkdir(parents=True)
    alerts = write_log_files(folder / "watched", files, records, every)
    write_log_files(folder / "unwatched", files, records, every=files * records + 1)
    taken = in_turns({name: _replay(folder / name) for name in ("watched", "unwatched")})
    each = [1000 * (ours - theirs) / alerts for ours, theirs in zip(taken["watched"], taken["unwatched"], strict=True)]
    figure, met = statistics.median(each), statistics.median(each) <= target
    print(
        f"replay, 1 record in {every} watched: {statistics.median(taken['watched']):.2f} s, the same files with none "
        f"{statistics.median(taken['unwatched']):.2f} s: {figure:.2f} ms an alert "
        f"({min(each):.2f} to {max(each):.2f}; at most {target}: {'met' if met else 'MISSED'})"
    )
    return met


def main() -> int:
    """Measure, print, and say by the exit status whether the targets are met."""
    with tempfile.TemporaryDirectory() as made:
        met = [_measure(Path(made, str(number)), *shape) for number, shape in enumerate(SHAPES)]
        met.append(_measure_alerts(Path(made, "often"), *WATCHED_OFTEN))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
