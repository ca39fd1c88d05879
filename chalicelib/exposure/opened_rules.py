"""What new and modified rules open in a group whose other rules are known or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from chalicelib.exposure.already_open import RangesOf, already_open
from chalicelib.exposure.compare import openings, openings_together
from chalicelib.exposure.explain import (
    Surroundings,
    explain,
    is_of_the_internet,
    narrowed,
    nothing_new,
    ranges_in,
    with_addresses,
    with_peers_before,
)
from chalicelib.exposure.traffic import TrafficLine, is_ingress
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.address_ranges import AddressRange, parse_range
from chalicelib.security_groups.lookup_result import Interface, Rules
from chalicelib.security_groups.phrases import peer_phrase
from chalicelib.security_groups.rules import ModifiedRule, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, ExposureKind, Opens, Severity

# Of so many reasons it is said who could use the same before: each takes a look at every rule.
_WITH_PEERS_BEFORE = 20


class OtherRules(NamedTuple):
    """The other rules of the group: those kept, those gone with the change, and all before it where they are known.

    ``is_guessed`` where only live rules show what was before, which may hold a later change. ``called`` says what these
    rules are to what the change is about.
    """

    kept: Rules = ()
    gone: Rules = ()
    before: Rules | None = None
    is_guessed: bool = False
    called: str = "other rules of the group"


def judge_opened(
    new: Sequence[ModifiedRule], others: OtherRules, around: Surroundings, interfaces: Sequence[Interface] = ()
) -> list[Exposure]:
    """The exposures of the new rules, each by itself and several together, with what the look-ups add to them."""
    ranges_of = _ranges_of(around)
    line = TrafficLine(rule for item in new for rule in (item.after, item.before) if rule is not None)
    known = _known_already(new, others, ranges_of)
    found: list[Exposure] = []
    for place, item in enumerate(new):
        opened = [explain(each, around) for each in openings(item, line, ranges_of)]
        if not opened:
            found.append(narrowed(item))
        elif place in known:
            found.append(nothing_new(max(opened, key=lambda each: each.severity.rank), item.after, others.called))
        else:
            found += opened
    rest = [item for place, item in enumerate(new) if place not in known]
    together = openings_together(rest, others.kept, others.gone, ranges_of)
    found = [*(explain(each, around) for each in together), *found]  # of those alike, what is broader comes first
    if interfaces:
        found = [_raised(item, interfaces) for item in found]
    return _with_former_peers(found, others)


def _ranges_of(around: Surroundings) -> RangesOf:
    if not around.prefix_lists:
        return lambda rule: ranges_in(rule, around)

    @cache
    def in_list(rule: SecurityGroupRule) -> Sequence[AddressRange]:
        return ranges_in(rule, around)

    def ranges_of(rule: SecurityGroupRule) -> Sequence[AddressRange]:
        return in_list(rule) if rule.peer.type is PeerType.PREFIX_LIST else ranges_in(rule, around)

    return ranges_of


def _known_already(new: Sequence[ModifiedRule], others: OtherRules, ranges_of: RangesOf) -> frozenset[int]:
    """The places of the rules that open nothing that the group is known to have let in already.

    Live rules may be newer than the change. Of new rules that allow the same between them each would then count
    as the others' past, and none be reported in full; so there one rule has to allow more by itself.
    """
    if others.before is None:
        return frozenset()
    return already_open([item.after for item in new], others.before, ranges_of, by_a_wider_rule=others.is_guessed)


def _raised(exposure: Exposure, interfaces: Iterable[Interface]) -> Exposure:
    """Raised where the rule lets the internet in and something attached has an address there."""
    rule = exposure.rule
    if exposure.severity.rank < Severity.MEDIUM.rank or exposure.opens is Opens.NOTHING or rule is None:
        return exposure
    addresses = _public_addresses(interfaces, rule) if is_of_the_internet(rule) else []
    if not addresses:
        return exposure
    severity = Severity.CRITICAL if exposure.severity is Severity.HIGH else exposure.severity
    return with_addresses(exposure._replace(severity=severity), addresses)


def _public_addresses(interfaces: Iterable[Interface], rule: SecurityGroupRule) -> list[str]:
    """The public addresses of the rule's IP version; of either where it names none."""
    version = {PeerType.IPV4: 4, PeerType.IPV6: 6}.get(rule.peer.type)
    found = [(address, parse_range(address)) for item in interfaces for address in item.public_addresses]
    wanted = (address for address, parsed in found if parsed and version in (None, parsed.version))
    return list(dict.fromkeys(wanted))


def _with_former_peers(exposures: list[Exposure], others: OtherRules) -> list[Exposure]:
    """The worst of the exposures with who could use the same traffic before, where that is known."""
    if others.before is None:
        return exposures
    about = [
        place
        for place, item in enumerate(exposures)
        if item.kind is ExposureKind.OPENING
        and item.severity.rank >= Severity.MEDIUM.rank
        and item.rule is not None
        and is_ingress(item.rule)
    ]
    about.sort(key=lambda place: -exposures[place].severity.rank)
    ingress = [rule for rule in others.before if is_ingress(rule)]
    rules = [rule for place in about[:_WITH_PEERS_BEFORE] if (rule := exposures[place].rule)]
    line = TrafficLine((*ingress, *rules))
    spans = [(line.span(rule), rule) for rule in ingress]
    said = list(exposures)
    for place in about[:_WITH_PEERS_BEFORE]:
        rule = exposures[place].rule
        low, high = line.span(rule) if rule is not None else (0, 0)
        peers = dict.fromkeys(peer_phrase(other.peer) for span, other in spans if span.low <= high and low <= span.high)
        said[place] = with_peers_before(exposures[place], list(peers))
    return said


def in_order(exposures: Iterable[Exposure]) -> tuple[Exposure, ...]:
    """The worst first; of those alike, what opens the whole internet, then a part of it, then what cannot be read."""
    return tuple(
        sorted(
            exposures,
            key=lambda item: (-item.severity.rank, item.kind is ExposureKind.UNREAD, item.opens is Opens.QUARTER),
        )
    )
