"""The alert about a tamper call as its record alone shows it: what the call did, how bad that is, and the way back.

An audit replaces the severity and adds what it found (alarm_path/watch/alerts.py); ``replay`` leaves it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chalicelib.alert.headline import MAX_TITLE
from chalicelib.aws.arns import resource_name
from chalicelib.cloudtrail.principals import Principal, is_of_root, is_root, issuer_path
from chalicelib.cloudtrail.records import CloudTrailRecord
from chalicelib.cloudtrail.tamper_calls import BY_NAME, Scope, TamperCall, effect_of, named_by, subjects_of
from chalicelib.cloudtrail.tamper_effects import Effect, respelled
from chalicelib.deployment import HANDLERS
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.changes import Outcome
from chalicelib.security_groups.phrases import printable
from chalicelib.security_groups.severity import Severity
from chalicelib.text import number_of
from chalicelib.undo.aws_cli import NOTHING_TO_UNDO, REGION, Undo, command

# So many names stand in a sentence; the exposure lists all.
NAMES_SHOWN = 5
_ATTEMPTS = {Outcome.DENIED: "Denied", Outcome.FAILED: "Failed", Outcome.DRY_RUN: "Dry run"}
_BECAME = {Outcome.DENIED: "was denied", Outcome.FAILED: "failed", Outcome.DRY_RUN: "was a dry run"}
# `sam deploy` names a function <stack>-<LogicalId>-<12 characters>, where its template gives it no name.
_HANDLER_IN_CAMEL_CASE = re.compile("|".join(f"-{name.title().replace('_', '')}-" for name in HANDLERS))


class Tampering(NamedTuple):
    """What a record says of a tamper call.

    ``did`` is a clause: "60 alarms were deleted". ``names`` are all that it touches, as the record has them;
    ``listed`` names each of the things where ``did`` has no room for all, None where it has.
    """

    title: str
    did: str
    severity: Severity
    names: tuple[str, ...]
    listed: str | None
    undo: Undo


def read_tampering(record: CloudTrailRecord, call: TamperCall, principal: Principal, outcome: Outcome) -> Tampering:
    """The tampering of a record whose event is one of the tamper calls."""
    subjects, names = subjects_of(call, record.raw), named_by(call, record.raw)
    effect = effect_of(call, record.request_parameters)
    things, verb = _things(call, subjects), "were" if len(subjects) > 1 else "was"
    did = _filled(effect.said, things, verb)
    attempt = f"{call.doing} {things}"
    succeeded = outcome is Outcome.SUCCEEDED
    said = did if succeeded else f"{_ATTEMPTS[outcome]}: {attempt}"
    return Tampering(
        title=_title(said, f"{things} {verb} {call.done}" if succeeded else said, call, principal),
        did=did if succeeded else f"{attempt} {_BECAME[outcome]}; nothing changed",
        severity=_severity(record, principal, outcome, effect, own=any(map(is_own, names))),
        names=names,
        listed=_listed(subjects) if len(subjects) > NAMES_SHOWN else None,
        undo=_undo(call, record) if succeeded and not effect.changes_nothing else NOTHING_TO_UNDO,
    )


def _title(said: str, plainly: str, call: TamperCall, principal: Principal) -> str:
    """A name is never cut: where what was done is too long to say, then the call; else the kind of thing stands."""
    by = f"by {printable(principal.name, 60)}"
    choices = (
        f"{said} ({call.api_name} {by})",
        f"{said} ({by})",
        f"{plainly} ({call.api_name} {by})",
        f"{call.thing} {call.done} ({call.api_name} {by})",
    )
    return _capital(next((text for text in choices if len(text) <= MAX_TITLE), printable(choices[-1], MAX_TITLE)))


def concerns_others(record: CloudTrailRecord, call: TamperCall) -> bool:
    """Whether the call is watched on sgwatch's own resources alone, and the record names only others."""
    names = named_by(call, record.raw)
    return call.scope is Scope.OWN and bool(names) and not any(map(is_own, names))


def names_of(event_name: str | None, record: CloudTrailRecord) -> tuple[str, ...]:
    """Every name in the record of what a tamper call touches; none where the event is no tamper call."""
    call = BY_NAME.get(event_name or "")
    return () if call is None else named_by(call, record.raw)


def is_own(name: str) -> bool:
    """Whether a name is one that sgwatch's resources have, by whatever tool they were deployed."""
    return "sgwatch" in name.lower() or _HANDLER_IN_CAMEL_CASE.search(f"{resource_name(name)}-") is not None


def in_order(names: Iterable[str]) -> list[str]:
    """sgwatch's own first, which matter most; AWS's order else."""
    return sorted(names, key=lambda name: not is_own(name))


def _things(call: TamperCall, subjects: Sequence[str]) -> str:
    """``alarm a``, ``60 alarms (a, b, c, d, e and 55 more)``, ``an alarm that the record does not name``."""
    if not subjects:
        article = "an" if call.thing[0] in "aeiou" else "a"
        return f"{article} {call.thing} that the record does not name"
    shown = [printable(resource_name(name)) for name in in_order(subjects)]
    if len(shown) == 1:
        return f"{call.thing} {call.whose}{shown[0]}"
    rest = len(shown) - NAMES_SHOWN
    more = f" and {rest:,} more" if rest > 0 else ""
    return f"{number_of(len(shown), call.thing)} ({', '.join(shown[:NAMES_SHOWN])}{more})"


def _filled(said: str, things: str, verb: str) -> str:
    # What the caller chose stands behind the places to fill, and may look like them.
    if said.startswith("{things} {was} "):
        said = said.replace("{was}", verb, 1)
    return printable(said.replace("{things}", things, 1))


def _listed(subjects: Sequence[str]) -> str:
    return ", ".join(printable(resource_name(name)) for name in in_order(subjects))


def _severity(
    record: CloudTrailRecord, principal: Principal, outcome: Outcome, effect: Effect, *, own: bool
) -> Severity:
    by_root = is_root(principal) or is_of_root(record)
    if outcome is Outcome.DENIED:
        return Severity.MEDIUM
    if outcome is not Outcome.SUCCEEDED:
        return Severity.MEDIUM if by_root and outcome is Outcome.FAILED else Severity.INFO
    if effect.changes_nothing:
        return Severity.INFO
    if by_root:
        return Severity.HIGH
    if _is_service(record, principal) and not own:
        return Severity.INFO
    return Severity.HIGH if effect.weakens else Severity.MEDIUM


# These act with the rights of their caller, and on what that caller asked.
_ON_BEHALF_OF_OTHERS = ("cloudformation.amazonaws.com", "servicecatalog.amazonaws.com")


def _is_service(record: CloudTrailRecord, principal: Principal) -> bool:
    """Whether an AWS service acted by itself: as AWSService, or with its service-linked role.

    Anybody may give a role the name of one, but not its path. Where the record has no path, the name counts beside
    the service that made the call.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
    """
    if principal.type == "AWSService":
        return True
    invoked_by = principal.invoked_by or ""
    if invoked_by in _ON_BEHALF_OF_OTHERS:
        return False
    if (path := issuer_path(record)) is not None:
        return path.startswith("aws-service-role/")
    return (principal.role or "").startswith("AWSServiceRoleFor") and invoked_by.endswith(".amazonaws.com")


def _undo(call: TamperCall, record: CloudTrailRecord) -> Undo:
    if call.inverse is None:
        return Undo(None, call.undo_note or "the settings before are not in the record")
    answer = {"responseElements": record.raw.get("responseElements")}
    calls = call.inverse({**respelled(record.request_parameters), **respelled(answer)})
    if calls is None:
        return Undo(None, "the record does not hold what its inverse needs")
    if record.region is None or not REGION.fullmatch(record.region):
        return Undo(None, "the record does not name the region")
    region = record.region
    commands = (command(each.operation, each.parameters, region, each.service) for each in calls)
    return Undo(tuple(commands), call.undo_note)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
