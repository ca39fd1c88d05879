"""What an auditor asks of a report: from which files it was made, of which accounts and regions, and with which gaps.

CloudTrail writes a file about every five minutes into each region's folder, named like
``123456789012_CloudTrail_eu-west-1_20261123T1000Z_….json.gz``. A day without any file of a region is a gap.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sgwatch.log_integrity.integrity_report import FileState, IntegrityReport
from sgwatch.log_integrity.locations import at_hand

_NAME = re.compile(r"(?P<account>\d{12})_CloudTrail_(?P<region>[a-z0-9-]+)_(?P<day>\d{8})T\d{4}Z_")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that was read: its name and the SHA-256 of its bytes, None where it could not be read again.

    ``state`` is what CloudTrail's digest files say of it, None where they were not asked.
    """

    name: str
    sha256: str | None
    state: FileState | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the report was made from. ``coverage`` counts CloudTrail's own log files by day and region."""

    made_at: datetime
    version: str
    files: tuple[InputFile, ...] = ()
    unreadable: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    coverage: Counter[tuple[date, str]] | None = None
    integrity: IntegrityReport | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that CloudTrail's files are of."""
        return tuple(sorted({region for _, region in self.coverage or ()}))

    @property
    def days(self) -> tuple[date, ...]:
        """Every day from the first to the last that there are files of."""
        days = sorted({day for day, _ in self.coverage or ()})
        return tuple(days[0] + timedelta(number) for number in range((days[-1] - days[0]).days + 1)) if days else ()

    @property
    def gaps(self) -> tuple[tuple[date, str], ...]:
        """The days on which a region has no file."""
        found = self.coverage or Counter()
        return tuple((day, region) for day in self.days for region in self.regions if not found[day, region])


def evidence(
    files: Iterable[str],
    unreadable: Iterable[str],
    version: str,
    now: datetime | None = None,
    integrity: IntegrityReport | None = None,
) -> Evidence:
    """The evidence of these input files, read once more for their hashes."""
    states = integrity.states if integrity else {}
    hashed = tuple(InputFile(name, sha256_of(Path(name)), states.get(at_hand(name))) for name in files)
    named = [found for file in hashed if (found := _NAME.search(Path(file.name).name))]
    coverage = Counter((datetime.strptime(found["day"], "%Y%m%d").date(), found["region"]) for found in named)  # noqa: DTZ007 - a day in UTC
    return Evidence(
        made_at=now or datetime.now(UTC),
        version=version,
        files=hashed,
        unreadable=tuple(unreadable),
        accounts=tuple(sorted({found["account"] for found in named})),
        coverage=coverage or None,
        integrity=integrity,
    )


def sha256_of(path: Path) -> str | None:
    """The SHA-256 of a file's bytes, in hexadecimal; None where it cannot be read (standard input, say)."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as source:
            while block := source.read(_BLOCK):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()
