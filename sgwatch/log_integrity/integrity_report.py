"""What CloudTrail's digest files say of the log files that were read: the model, its sentences and its JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from chalicelib.alarm_path.verdicts import Status, all_of
from chalicelib.alert.model import format_time
from sgwatch.log_integrity.digest_file import DigestChain


class FileState(StrEnum):
    """What became of a log file since CloudTrail wrote it."""

    VERIFIED = "verified"
    CHANGED = "changed"
    MISSING = "missing"
    NOT_COVERED = "not covered"
    UNREADABLE = "unreadable"


# Only where every file is verified is anything proven; what could not be looked at is no proof of a change.
_MEANS = {
    FileState.VERIFIED: Status.PASS,
    FileState.CHANGED: Status.FAIL,
    FileState.MISSING: Status.FAIL,
    FileState.NOT_COVERED: Status.UNKNOWN,
    FileState.UNREADABLE: Status.UNKNOWN,
}


class CheckedFile(NamedTuple):
    """A log file, and why it is not verified where it is not."""

    path: str
    state: FileState
    reason: str = ""


class DigestFault(NamedTuple):
    """What is wrong with a digest file; unknown where it is only that it could not be checked."""

    path: str
    status: Status
    reason: str


class Gap(NamedTuple):
    """A time without digest files, in AWS's own notation: of log files delivered then nothing is known."""

    since: str
    until: str


@dataclass(frozen=True, slots=True)
class CheckedChain:
    """The verified digest files of one trail in one account and region, and the time that they are about."""

    chain: DigestChain
    since: str
    until: str
    digest_files: int
    gaps: tuple[Gap, ...] = ()

    def sentence(self) -> str:
        """``123456789012 eu-west-1, trail main to bucket logs: 24 digest files verified, 2026-11-23T00:00:00Z to``.

        The times are those that the digest files have.
        """
        late = " (backfill)" if self.chain.backfill else ""
        files = f"{self.digest_files:,} digest file{'' if self.digest_files == 1 else 's'} verified"
        gaps = "".join(f"; none from {gap.since} to {gap.until}" for gap in self.gaps)
        place = (
            f"{self.chain.account} {self.chain.region}, trail {self.chain.trail} to bucket {self.chain.bucket}{late}"
        )
        return f"{place}: {files}, {self.since} to {self.until}{gaps}"


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the public keys came from, and what kept any from being had."""

    name: str
    fingerprints: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """The result of checking log files against digest files."""

    checked_at: datetime
    files: tuple[CheckedFile, ...]
    chains: tuple[CheckedChain, ...]
    digest_faults: tuple[DigestFault, ...]
    keys: KeySource

    @property
    def counts(self) -> Counter[FileState]:
        """How many files are in which state."""
        return Counter(item.state for item in self.files)

    @property
    def states(self) -> dict[str, FileState]:
        """Each file's state by its path."""
        return {item.path: item.state for item in self.files}

    @property
    def problems(self) -> tuple[CheckedFile, ...]:
        """The files that are not verified, the worst first."""
        found = [item for item in self.files if item.state is not FileState.VERIFIED]
        return tuple(sorted(found, key=lambda item: _MEANS[item.state] is not Status.FAIL))

    @property
    def status(self) -> Status:
        """Pass only where every log file is verified, none is missing and no digest file leaves a question."""
        answers = [_MEANS[item.state] for item in self.files] or [Status.UNKNOWN]
        gaps = [Status.UNKNOWN for item in self.chains for _ in item.gaps]
        return all_of([*answers, *gaps, *(fault.status for fault in self.digest_faults)])

    def summary(self) -> str:
        """The verdict in one sentence."""
        counted = ", ".join(f"{self.counts[state]:,} {state}" for state in FileState if self.counts[state])
        return f"Log files against CloudTrail's digest files: {counted or 'none'}: {_WORDS[self.status]}."

    def sentences(self) -> Iterator[str]:
        """What there is to say below the verdict, the worst first."""
        for item in self.problems:
            yield f"{item.state}: {item.path}: {item.reason}"
        for fault in self.digest_faults:
            yield f"digest file {fault.path}: {fault.reason}"
        for reason in self.keys.faults:
            yield f"public keys: {reason}"
        for chain in self.chains:
            yield chain.sentence()

    def document(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "version": "1",
            "status": self.status.value,
            "checked_at": format_time(self.checked_at.replace(microsecond=0)),
            "counts": {state.value: self.counts[state] for state in FileState},
            "files": [
                {"path": item.path, "state": item.state.value, "reason": item.reason or None} for item in self.files
            ],
            "digest_files": {
                "verified": sum(item.digest_files for item in self.chains),
                "faults": [
                    {"path": item.path, "status": item.status.value, "reason": item.reason}
                    for item in self.digest_faults
                ],
            },
            "chains": [
                {
                    "account_id": item.chain.account,
                    "region": item.chain.region,
                    "trail": item.chain.trail,
                    "bucket": item.chain.bucket,
                    "home_region": item.chain.home,
                    "backfill": item.chain.backfill,
                    "from": item.since,
                    "to": item.until,
                    "digest_files": item.digest_files,
                    "gaps": [{"from": gap.since, "to": gap.until} for gap in item.gaps],
                }
                for item in self.chains
            ],
            "keys": {
                "from": self.keys.name,
                "fingerprints": list(self.keys.fingerprints),
                "faults": list(self.keys.faults),
            },
        }


_WORDS = {
    Status.PASS: "all are as CloudTrail wrote them",
    Status.FAIL: "NOT as CloudTrail wrote them",
    Status.UNKNOWN: "not proven",
}
