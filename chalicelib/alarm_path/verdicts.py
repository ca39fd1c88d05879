"""The three answers of the audit, and how answers about links become answers about paths.

``UNKNOWN`` is an answer, not an error: something could not be looked at, or AWS does not document
what it would do. It never outweighs a link that is known to be broken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.alarm_path.api_calls import ApiCall
from chalicelib.alarm_path.check_registry import PathLink, registered


class Status(StrEnum):
    """Pass, fail, or unknown."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


def all_of(answers: Iterable[Status]) -> Status:
    """The answer for a chain: one broken link breaks it, whatever else could not be read."""
    seen = set(answers)
    if Status.FAIL in seen:
        return Status.FAIL
    return Status.UNKNOWN if Status.UNKNOWN in seen else Status.PASS


def any_of(answers: Iterable[Status]) -> Status:
    """The answer for alternatives: one good one is enough; without any there is nothing good."""
    seen = set(answers)
    if Status.PASS in seen:
        return Status.PASS
    return Status.UNKNOWN if Status.UNKNOWN in seen else Status.FAIL


def opposite(answer: Status) -> Status:
    """Pass for fail and fail for pass; unknown stays unknown."""
    return {Status.PASS: Status.FAIL, Status.FAIL: Status.PASS}.get(answer, Status.UNKNOWN)


def status_of(fact: bool | None) -> Status:
    """True is pass, False is fail, None is unknown."""
    if fact is None:
        return Status.UNKNOWN
    return Status.PASS if fact else Status.FAIL


@dataclass(frozen=True, slots=True)
class Finding:
    """The audit's answer on one link: which registered check, of what, with what answer, why, and the fix.

    ``subject`` names the thing judged (an ARN where AWS gives one); ``reason`` is a full sentence;
    ``fix`` is commands to paste, or a sentence where no command can do it, or None; ``calls`` are the commands' calls.
    """

    check: str
    status: Status
    subject: str
    reason: str
    fix: str | None = None
    calls: tuple[ApiCall, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        registered(self.check)

    @property
    def link(self) -> PathLink:
        """The link of the path that the finding is about."""
        return registered(self.check).link


def worst(findings: Iterable[Finding]) -> Status:
    """The answer of a chain of findings."""
    return all_of(finding.status for finding in findings)
