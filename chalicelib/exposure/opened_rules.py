"""What new and modified rules open in a group whose other rules are known or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from chalicelib.exposure.already_open import RangesOf, Spans, already_open
from chalicelib.exposure.compare import Opening, openings, openings_together, own_ranges, spans_of
from chalicelib.exposure.explain import (
    Surroundings,
    as_protocol,
    explain,
    is_of_the_internet,
    narrowed,
    nothing_new,
    ranges_in,
    with_addresses,
    with_peers_before,
)
from chalicelib.exposure.traffic import Span, TrafficLine, is_ingress
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.address_ranges import AddressRange, joined, parse_range
from chalicelib.security_groups.lookup_result import Interface, Rules
from chalicelib.security_groups.phrases import previous_peer_phrase
from chalicelib.security_groups.rules import ModifiedRule, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, ExposureKind, Opens, Severity

# Of so many reasons it is said who could use the same before: each takes a look at every rule.
_WITH_PEERS_BEFORE = 20


class OtherRules(NamedTuple):
    """The other rules of the group: those kept, those gone with the change, and those before it where they are known.

    ``is_guessed`` where only live rules show what was before, which may hold a later change. ``called`` says what these
    rules are to what the change is about. ``before`` is not all that was there unless ``are_all``.
    """

    kept: Rules = ()
    gone: Rules = ()
    before: Rules | None = None
    is_guessed: bool = False
    called: str = "other rules of the group"
    are_all: bool = True


# A reason, and the opening that it is of.
_Reason = tuple[Exposure, Opening | None]


def judge_opened(
    new: Sequence[ModifiedRule], others: OtherRules, around: Surroundings, interfaces: Sequence[Interface] = ()
) -> list[Exposure]:
    """The exposures of the new rules, each by itself and several together, with what the look-ups add to them."""
    ranges_of = _ranges_of(around)
    line = TrafficLine(rule for item in new for rule in (item.after, item.before) if rule is not None)
    known = _known_already(new, others, ranges_of)
    found: list[_Reason] = []
    for place, item in enumerate(new):
        opened = [(explain(each, around), each) for each in openings(item, line, ranges_of)]
        if not opened:
            found.append((narrowed(item), None))
        elif place in known:
            worst = max((each for each, _ in opened), key=lambda each: each.severity.rank)
            found.append((nothing_new(worst, item.after, others.called), None))
        else:
            found += opened
    rest = [item for place, item in enumerate(new) if place not in known]
    together = openings_together(rest, others.kept, others.gone, ranges_of)
    # Of those alike, what is broader comes first.
    found = [*((explain(each, around), each) for each in together), *found]
    if interfaces:
        found = [(_raised(item, interfaces), opening) for item, opening in found]
    return _with_peers_before(found, others)


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
    as the others' past, and none be reported in full; so there one rule has to allow more by itself. What is in a
    prefix list may be newer, too, and no list is the past of other peers' rules.
    """
    if others.before is None:
        return frozenset()
    rules = [item.after for item in new]
    certain = [rule for rule in others.before if rule.peer.type is not PeerType.PREFIX_LIST]
    fresh = {id(item.after): _fresh_ranges(item, ranges_of) for item in new if item.before is not None}

    def newly(rule: SecurityGroupRule) -> Sequence[AddressRange]:
        return fresh[id(rule)] if id(rule) in fresh else ranges_of(rule)

    known = already_open(rules, certain, newly, by_a_wider_rule=others.is_guessed)
    if len(certain) < len(others.before):
        known |= already_open(rules, others.before, own_ranges, by_a_wider_rule=others.is_guessed)
    return known


def _fresh_ranges(item: ModifiedRule, ranges_of: RangesOf) -> Sequence[AddressRange]:
    """The ranges of a modified rule that it did not have for the same traffic."""
    before, after = item.before, item.after
    if before is None or before.identity[:4] != after.identity[:4]:
        return ranges_of(after)
    had = frozenset(ranges_of(before))
    return [found for found in ranges_of(after) if found not in had]


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


def _with_peers_before(found: Sequence[_Reason], others: OtherRules) -> list[Exposure]:
    """The worst of the exposures with who could use the same traffic before, where that is known."""
    said = [exposure for exposure, _ in found]
    if others.before is None or not others.are_all:
        return said
    about = [
        (place, opening)
        for place, (item, opening) in enumerate(found)
        if opening is not None and item.severity.rank >= Severity.MEDIUM.rank and is_ingress(opening.rule)
    ]
    about.sort(key=lambda item: -said[item[0]].severity.rank)
    ingress = [rule for rule in others.before if is_ingress(rule)]
    protocols = (as_protocol(opening.rule, opening.protocol) for _, opening in about)
    line = TrafficLine((*ingress, *(opening.rule for _, opening in about), *protocols))
    open_to: dict[tuple[str, str], list[Span]] = {}
    for rule in ingress:
        phrases = (
            previous_peer_phrase(rule.peer, beside_ipv6=False),
            previous_peer_phrase(rule.peer, beside_ipv6=True),
        )
        open_to.setdefault(phrases, []).append(line.span(rule))
    peers = {phrases: Spans(Span(*span) for span in joined(spans)) for phrases, spans in open_to.items()}
    for place, opening in about[:_WITH_PEERS_BEFORE]:
        wanted = spans_of(opening, line)
        six = opening.version == 6
        whole, part = list[str](), list[str]()
        for peer, had in peers.items():
            if all(had.hold_wider(span, or_same=True) for span in wanted):
                whole.append(peer[six])
            elif any(map(had.overlap, wanted)):
                part.append(peer[six])
        said[place] = with_peers_before(said[place], whole, part)
    return said


def in_order(exposures: Iterable[Exposure]) -> tuple[Exposure, ...]:
    """The worst first; of those alike, what opens the whole internet, then a part of it, then what cannot be read."""
    return tuple(
        sorted(
            exposures,
            key=lambda item: (-item.severity.rank, item.kind is ExposureKind.UNREAD, item.opens is Opens.QUARTER),
        )
    )
