"""``sgwatch replay s3://…`` reads a bucket of many small log files as it reads a folder of them."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.samples import write_log_files
from localcloud import LocalCloud

FILES = 20_000


@pytest.mark.slow
def test_twenty_thousand_objects_make_the_alerts_of_the_same_files(cloud: LocalCloud, tmp_path: Path) -> None:
    day = tmp_path / "logs" / "AWSLogs" / "123456789012" / "CloudTrail" / "eu-west-1" / "2026" / "11" / "23"
    day.mkdir(parents=True)
    watched = write_log_files(day, FILES, records=8)
    s3 = cloud.client("s3", region="us-east-1")
    s3.create_bucket(Bucket="many-logs")

    def put(path: Path) -> None:
        key = str(path.relative_to(tmp_path / "logs"))
        s3.put_object(Bucket="many-logs", Key=key, Body=path.read_bytes())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put, sorted(day.iterdir())))

    def replay(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sgwatch", "replay", "--format", "json", *words]
        return subprocess.run(
            command, env={**os.environ, **cloud.environment()}, capture_output=True, text=True, check=True
        )

    kept = str(tmp_path / "kept")
    of_objects = replay("s3://many-logs", "--since", "2026-11-23", "--resume", kept)
    assert of_objects.stdout.count("\n") == watched
    assert of_objects.stdout == replay(str(tmp_path / "logs")).stdout
    assert f"{FILES:,} GET and 24 LIST requests, under $0.01" in of_objects.stderr
    again = replay("s3://many-logs", "--since", "2026-11-23", "--resume", kept)
    assert again.stdout == of_objects.stdout
    assert f"{FILES:,} were read before: 0 GET" in again.stderr
