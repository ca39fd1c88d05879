"""Judges log files by digest files: pure, from what was read to a report.

Whatever says that a file is good is signed: a digest file counts only with CloudTrail's own signature, and a log file
only where such a digest file has the hash of its content. The signature of a digest file is in its object's metadata
in S3 and, once more, in the digest file after it; from where it was taken does not matter, as nobody else can make it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise

from chalicelib.alarm_path.verdicts import Status
from sgwatch.log_integrity.digest_file import SIGNATURE_ALGORITHM, DigestChain, DigestFile
from sgwatch.log_integrity.integrity_report import (
    CheckedChain,
    CheckedFile,
    DigestFault,
    FileState,
    Gap,
    IntegrityReport,
    KeySource,
)
from sgwatch.log_integrity.signature import PublicKey

_NO_SIGNATURE = (
    "its signature is not at hand: S3 has it in the object's metadata, a copy has it only in the digest file after it"
)


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """The files that were read: the SHA-256 of each one's unpacked content, None where it could not be read.

    ``is_wanted`` says of another path whether it would have been read if it were there.
    """

    hashes: Mapping[str, str | None]
    is_wanted: Callable[[str], bool]


def verify(
    read: ReadFiles,
    digests: Sequence[DigestFile],
    unreadable: Iterable[DigestFault],
    keys: Mapping[str, PublicKey],
    keys_from: KeySource,
    now: datetime,
) -> IntegrityReport:
    """The report on these files; ``unreadable`` are digest files that could not even be read."""
    judged = _judged(digests, keys)
    grouped = _grouped(digests, lambda item: item.chain)
    # A trail that writes to another bucket goes on with its chain.
    linked = _grouped(digests, lambda item: item.chain._replace(bucket=""))
    faults = [
        *unreadable,
        *(fault for item in digests if (fault := judged[item.path]) is not None and _matters(fault, item, read)),
        *(fault for group in linked for fault in _broken_links(group, judged)),
    ]
    changed = {fault.path for fault in faults if fault.status is Status.FAIL}
    verified = [item for item in digests if judged[item.path] is None and item.path not in changed]
    good = {item.path for item in verified}
    return IntegrityReport(
        checked_at=now,
        files=tuple(_files(read, verified, [item for item in digests if item.path not in good])),
        chains=tuple(filter(None, (_chain(group, good) for group in grouped))),
        digest_faults=tuple(sorted(dict.fromkeys(faults), key=lambda fault: fault.status is not Status.FAIL)),
        keys=keys_from,
    )


def _grouped(digests: Iterable[DigestFile], key: Callable[[DigestFile], DigestChain]) -> list[list[DigestFile]]:
    in_order = sorted(digests, key=lambda item: (key(item), item.ended))
    return [list(group) for _, group in groupby(in_order, key=key)]


def _judged(digests: Sequence[DigestFile], keys: Mapping[str, PublicKey]) -> dict[str, DigestFault | None]:
    """What is wrong with each digest file by itself; None where its signature is CloudTrail's."""
    signatures: dict[str, set[str]] = defaultdict(set)
    for item in digests:
        if item.signature:
            signatures[item.path].add(item.signature)
        if item.previous and item.previous_signature:
            signatures[item.previous.path].add(item.previous_signature)
    return {item.path: _fault(item, signatures[item.path], keys.get(item.fingerprint)) for item in digests}


def _fault(item: DigestFile, signatures: set[str], key: PublicKey | None) -> DigestFault | None:
    if item.algorithm != SIGNATURE_ALGORITHM:
        return DigestFault(item.path, Status.UNKNOWN, f"signed with {item.algorithm}, which is not known here")
    if not signatures:
        return DigestFault(item.path, Status.UNKNOWN, _NO_SIGNATURE)
    if key is None:
        return DigestFault(item.path, Status.UNKNOWN, f"the public key {item.fingerprint} is not at hand")
    if any(key.signed(item.signed, _bytes(signature)) for signature in signatures):
        return None
    return DigestFault(item.path, Status.FAIL, "the signature is not CloudTrail's for this content: it was changed")


def _bytes(signature: str) -> bytes:
    try:
        return bytes.fromhex(signature)
    except ValueError:
        return b""


def _matters(fault: DigestFault, item: DigestFile, read: ReadFiles) -> bool:
    """Whether anything hangs on this digest file: one without a signature that names nothing wanted is no question."""
    return fault.status is Status.FAIL or any(log.path in read.hashes or read.is_wanted(log.path) for log in item.logs)


def _broken_links(group: Sequence[DigestFile], judged: Mapping[str, DigestFault | None]) -> Iterator[DigestFault]:
    """What two digest files of one chain say of each other."""
    at_hand = {item.path: item for item in group}
    for number, item in enumerate(group):
        fault = judged[item.path]
        if item.previous is None or (fault is not None and fault.status is Status.FAIL):
            continue
        previous = at_hand.get(item.previous.path)
        if previous is None:
            if number:
                yield DigestFault(item.previous.path, Status.FAIL, f"it is missing: {item.path} follows it")
        elif fault is None and previous.sha256 != item.previous.sha256:
            yield DigestFault(previous.path, Status.FAIL, "its content is not what the digest file after it has hashed")


def _chain(group: Sequence[DigestFile], verified: set[str]) -> CheckedChain | None:
    good = [item for item in group if item.path in verified]
    if not good:
        return None
    # Those of late log files come when they come.
    gaps = () if good[0].chain.backfill else tuple(_gaps(good))
    since, until = min(item.started for item in good), max(item.ended for item in good)
    return CheckedChain(good[0].chain, since, until, len(good), gaps)


def _gaps(verified: Sequence[DigestFile]) -> Iterator[Gap]:
    for before, item in pairwise(verified):
        if item.previous is None or item.previous.path != before.path:
            yield Gap(before.ended, item.started)


def _files(
    read: ReadFiles, verified: Iterable[DigestFile], not_verified: Iterable[DigestFile]
) -> Iterator[CheckedFile]:
    """Each file that was read, and each that should have been there."""
    named: dict[str, set[str | None]] = defaultdict(set)
    for item in verified:
        for log in item.logs:
            named[log.path].add(log.sha256)
    claimed = {log.path: item.path for item in not_verified for log in item.logs}
    for path, found in read.hashes.items():
        yield _file(path, found, named.get(path), claimed.get(path))
    for path in sorted(named.keys() | claimed.keys()):
        if path not in read.hashes and read.is_wanted(path):
            by = "CloudTrail delivered it" if path in named else f"{claimed[path]} names it"
            yield CheckedFile(path, FileState.MISSING, f"{by}, and it is not there")


def _file(path: str, found: str | None, named: set[str | None] | None, claimed_by: str | None) -> CheckedFile:
    if found is None:
        return CheckedFile(path, FileState.UNREADABLE, "it could not be read")
    if named is not None:
        if found in named:
            return CheckedFile(path, FileState.VERIFIED)
        if None in named:
            return CheckedFile(
                path, FileState.NOT_COVERED, "its digest file has a hash of a kind that is not known here"
            )
        wanted = " or ".join(sorted(filter(None, named)))
        return CheckedFile(path, FileState.CHANGED, f"CloudTrail wrote SHA-256 {wanted}, and this is {found}")
    if claimed_by is not None:
        return CheckedFile(path, FileState.NOT_COVERED, f"the digest file that names it is not verified: {claimed_by}")
    return CheckedFile(path, FileState.NOT_COVERED, "no digest file at hand names it")
