"""What one opening means: who can now reach what, how bad that is, which controls it breaks, and all that in words."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

from chalicelib.exposure.compare import Opening
from chalicelib.exposure.traffic import Ports, is_ingress
from chalicelib.named_tuple import NamedTuple
from chalicelib.security_groups.address_ranges import (
    WIDE,
    AddressRange,
    Breadth,
    breadth_of,
    count_public,
    parse_range,
    world,
)
from chalicelib.security_groups.controls import ADMINISTRATION_PORTS, HIGH_RISK_PORTS, WEB_PORTS, world_controls
from chalicelib.security_groups.lookup_result import GroupInfo, PrefixList
from chalicelib.security_groups.phrases import (
    group_phrase,
    is_world,
    peer_phrase,
    printable,
    rule_phrase,
    service_phrase,
)
from chalicelib.security_groups.rules import ALL_PROTOCOLS, ICMP, WITH_PORTS, ModifiedRule, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, ExposureKind, Opens, Severity
from chalicelib.text import number_of

_PORTS_SHOWN = 12
_RANGES_SHOWN = 3
_SHOWN = 3


class Surroundings(NamedTuple):
    """What is known beside the rules: the account, what is in prefix lists, the names of other groups."""

    account_id: str | None = None
    prefix_lists: Mapping[str, PrefixList] = {}
    groups: Mapping[str, GroupInfo] = {}


def explain(found: Opening, around: Surroundings) -> Exposure:
    """The exposure of an opening."""
    if not is_ingress(found.rule):
        return _egress(found, around)
    exposure = _ingress(found, around)
    if found.rule.direction is not None:
        return exposure
    return with_sentence(exposure, "That is so if the rule is one of ingress, which the record does not say.")


def with_sentence(exposure: Exposure, sentence: str) -> Exposure:
    """The exposure with one more sentence."""
    return exposure._replace(reason=f"{exposure.reason} {sentence}")


def _exposure(severity: Severity, reason: str, found: Opening, opens: Opens = Opens.SOME) -> Exposure:
    return Exposure(severity, reason, (), found.rule, opens, ExposureKind.OPENING)


def _ingress(found: Opening, around: Surroundings) -> Exposure:
    rule = found.rule
    if found.together:
        return _from_addresses(found, around)
    if rule.peer.type is PeerType.SECURITY_GROUP:
        return _from_group(found, around)
    if rule.peer.type is PeerType.PREFIX_LIST:
        return _from_prefix_list(found, around)
    if found.breadth is None:
        reason = f"The range {printable(rule.peer.value, 60)} cannot be read, so it may be anybody."
        return _exposure(Severity.HIGH, reason, found)
    return _from_addresses(found, around)


def _from_addresses(found: Opening, around: Surroundings) -> Exposure:
    """The exposure of an opening to known addresses."""
    breadth = found.breadth or Breadth.PRIVATE
    risky = _risky_ports(found.ports)
    severity = _severity(found, is_risky=bool(risky) or found.protocol == ALL_PROTOCOLS)
    reason = f"{_who(found, around)} can {_use(found)}{_risk(found, risky)}."
    if found.together:
        reason += _TOGETHER[breadth]
    elif severity is Severity.HIGH and breadth is Breadth.WIDE and found.range is not None:
        reason += f" That is a public range of /{8 if found.version == 4 else 16} or wider."
    controls = world_controls(found.protocol, found.ports, found.version or 4) if breadth is Breadth.ALL else ()
    return Exposure(severity, reason, controls, found.rule, _OPENS[breadth], ExposureKind.OPENING)


_OPENS = (Opens.SOME, Opens.SOME, Opens.SOME, Opens.QUARTER, Opens.WORLD)  # by breadth
_TOGETHER = {
    Breadth.ALL: " Several rules do this together: their ranges cover every address.",
    Breadth.QUARTER: " Several rules do this together: their ranges add up to that.",
    Breadth.WIDE: " Several rules do this together.",
}


def _severity(found: Opening, *, is_risky: bool) -> Severity:
    """How bad ingress from known addresses is."""
    breadth = found.breadth or Breadth.PRIVATE
    if breadth is Breadth.PRIVATE:
        return Severity.LOW
    if breadth < Breadth.QUARTER:
        return Severity.HIGH if is_risky and breadth is Breadth.WIDE else Severity.MEDIUM
    if found.protocol in ICMP or (found.protocol in WITH_PORTS and _only_web(found.ports)):
        return Severity.MEDIUM
    return Severity.CRITICAL if is_risky else Severity.HIGH


def _who(found: Opening, around: Surroundings) -> str:
    """Who can use the opening, as a sentence begins."""
    if found.breadth is Breadth.ALL:
        return f"Anyone on the internet ({world(found.version or 4).text})"
    if found.breadth is Breadth.QUARTER:
        return f"A {_quarter(found)}"
    if found.range is not None:
        return f"{found.range.text} ({_size(found.range)})"
    if found.together:
        return f"{WIDE[4]:,} public addresses or more" if found.version == 4 else "Public IPv6 ranges of a /16 or more"
    ranges = [item for item in ranges_in(found.rule, around) if item.version == found.version]
    return _widest(ranges)


def _quarter(found: Opening) -> str:
    which = "internet" if found.version == 4 else "IPv6 internet"
    return f"quarter or more of the {which}" + (f" ({found.range.text})" if found.range else "")


def _widest(ranges: Sequence[AddressRange]) -> str:
    """The widest of the ranges with their sizes, and how many more there are."""
    ordered = sorted(ranges, key=lambda item: (-count_public(item), item.prefix))
    shown = ", ".join(f"{item.text} ({_size(item)})" for item in ordered[:_RANGES_SHOWN])
    more = len(ordered) - _RANGES_SHOWN
    return f"{shown} and {number_of(more, 'more range')}" if more > 0 else shown


_PRIVATE = {
    4: ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    6: ("fc00::/7", "fe80::/10", "::1/128"),
}
_PRIVATE_INTERVALS = {
    version: [(found.first, found.last) for found in map(parse_range, texts) if found is not None]
    for version, texts in _PRIVATE.items()
}


def _size(source: AddressRange) -> str:
    size, public = source.last - source.first + 1, count_public(source)
    if public == 0:
        known = _PRIVATE_INTERVALS[source.version]
        whose = "private" if any(first <= source.first and source.last <= last for first, last in known) else "reserved"
        return f"a {whose} address" if size == 1 else f"{whose} addresses"
    if source.version == 6:
        whole = "a public address" if size == 1 else "public addresses"
        return "public in part" if public < size else whole
    count = f"{size:,}" if public < size else f"{size:,} public"
    return f"{count} address{'' if size == 1 else 'es'}{', not all public' if public < size else ''}"


def _use(found: Opening) -> str:
    """What became possible: ``reach tcp/22``, ``send any traffic``, ``send icmp``."""
    if found.protocol == ALL_PROTOCOLS:
        return "send any traffic"
    return f"{'reach' if found.protocol in WITH_PORTS else 'send'} {_service(found)}"


def _service(found: Opening) -> str:
    """What became reachable, in words: the rule's own ports, or of a widened rule only the new ones."""
    if found.protocol not in WITH_PORTS:
        alike = found.protocol == found.rule.protocol
        return service_phrase(found.rule if alike else as_protocol(found.rule, found.protocol))
    if found.protocol == found.rule.protocol and found.ports == (found.rule.ports,):
        return service_phrase(found.rule)
    risky = sorted(found.ports, key=lambda item: not _risky_ports((item,)))[:_PORTS_SHOWN]
    parts = [str(first) if first == last else f"{first}-{last}" for first, last in sorted(risky)]
    more = len(found.ports) - len(parts)
    return f"{found.protocol}/{','.join(parts)}" + (f" and {number_of(more, 'more port range')}" if more else "")


def as_protocol(rule: SecurityGroupRule, protocol: str) -> SecurityGroupRule:
    """The rule as if it were of another protocol, with all of its ports."""
    return SecurityGroupRule(rule.direction, protocol, None, None, rule.peer)


def _only_web(ports: Iterable[Ports]) -> bool:
    return all(low == high and low in WEB_PORTS for low, high in ports)


_PORT_NAMES = {**HIGH_RISK_PORTS, **ADMINISTRATION_PORTS}
_RISKY = sorted(_PORT_NAMES)


def _risky_ports(ports: Iterable[Ports]) -> list[int]:
    return [port for low, high in ports for port in _RISKY[bisect_left(_RISKY, low) : bisect_right(_RISKY, high)]]


def _risk(found: Opening, risky: list[int]) -> str:
    """What makes the newly open ports worse than others, as the end of a sentence."""
    if found.breadth is Breadth.PRIVATE:
        return ""
    if found.protocol == ALL_PROTOCOLS:
        return " on every port, SSH and RDP included"
    if not risky:
        return ""
    if len(risky) == 1:
        (port,) = risky
        if found.ports == ((port, port),):
            return f" ({_PORT_NAMES[port]}), a high-risk port"
        return f", with the high-risk port {port} ({_PORT_NAMES[port]}) among them"
    # What people log in through says most.
    named = [port for port in risky if port in ADMINISTRATION_PORTS]
    named += [port for port in risky if port not in ADMINISTRATION_PORTS]
    shown = ", ".join(f"{port} ({_PORT_NAMES[port]})" for port in named[:3])
    return f", with high-risk ports among them: {shown}{f' and {len(risky) - 3} more' if len(risky) > 3 else ''}"


def _from_group(found: Opening, around: Surroundings) -> Exposure:
    owner = found.rule.peer.account_id
    if owner and around.account_id and owner != around.account_id:
        reason = f"A group of another account ({printable(owner, 40)}) can {_use(found)}."
        return _exposure(Severity.MEDIUM, reason, found)
    known = around.groups.get(found.rule.peer.value)
    peer = f"group {group_phrase(known.name, known.id)}" if known and known.name else peer_phrase(found.rule.peer)
    return _exposure(Severity.LOW, f"Members of {peer} can {_use(found)}.", found)


def _from_prefix_list(found: Opening, around: Surroundings) -> Exposure:
    rule = found.rule
    known = around.prefix_lists.get(rule.peer.value)
    if known is None:
        reason = f"The addresses in {peer_phrase(rule.peer)} are not known; they can {_use(found)}."
        return _exposure(Severity.MEDIUM, reason, found)
    name = printable(known.name or rule.peer.value, 80)
    if known.aws_managed:
        return _exposure(Severity.LOW, f"{name}, a prefix list managed by AWS, can {_use(found)}.", found)
    if found.breadth is not None:
        exposure = _from_addresses(found, around)
        exposure = exposure._replace(reason=f"Through prefix list {name}: {exposure.reason}")
    else:
        reason = f"Prefix list {name} is empty; it lets nobody in yet."
        exposure = _exposure(Severity.LOW, reason, found, Opens.NOTHING)
    return _with_doubts(exposure, known, found, around)


def _with_doubts(exposure: Exposure, known: PrefixList, found: Opening, around: Surroundings) -> Exposure:
    """At least medium where a list may hold more than is known, or another account can put more into it."""
    if exposure.severity.rank < Severity.MEDIUM.rank and not is_whole(known):
        name = printable(known.name or found.rule.peer.value, 80)
        reason = f"Not all addresses in prefix list {name} are known; they can {_use(found)}."
        exposure = _exposure(Severity.MEDIUM, reason, found)
    if is_foreign(known, around):
        owner = printable(known.owner_id or "", 40)
        sentence = f"Account {owner} owns the list and can change it without a record in this account."
        exposure = with_sentence(_at_least_medium(exposure), sentence)
    return exposure


def _at_least_medium(exposure: Exposure) -> Exposure:
    worse = max(exposure.severity, Severity.MEDIUM, key=lambda item: item.rank)
    return exposure._replace(severity=worse, opens=Opens.SOME if exposure.opens is Opens.NOTHING else exposure.opens)


def is_whole(known: PrefixList) -> bool:
    """Whether all addresses of the list are known."""
    return known.is_whole and all(parse_range(cidr) is not None for cidr in known.cidrs)


def is_foreign(known: PrefixList, around: Surroundings) -> bool:
    """Whether another account owns the list."""
    owner = None if known.aws_managed else known.owner_id
    return owner is not None and around.account_id is not None and owner != around.account_id


def ranges_in(rule: SecurityGroupRule, around: Surroundings) -> list[AddressRange]:
    """The addresses of the rule's peer as far as they are known, those in a prefix list included."""
    if rule.peer.type is PeerType.PREFIX_LIST:
        known = around.prefix_lists.get(rule.peer.value)
        return [] if known is None or known.aws_managed else [item for item in map(parse_range, known.cidrs) if item]
    found = parse_range(rule.peer.value) if rule.peer.type in (PeerType.IPV4, PeerType.IPV6) else None
    return [] if found is None else [found]


def _egress(found: Opening, around: Surroundings) -> Exposure:
    rule = found.rule
    everywhere = _everywhere(found, around) if found.protocol == ALL_PROTOCOLS else None
    if everywhere is None:
        reason = f"Traffic may leave to {peer_phrase(rule.peer)}: {service_phrase(rule)}."
        return _exposure(Severity.LOW, reason, found)
    how = _TOGETHER[found.breadth or Breadth.ALL] if found.together else ""
    return _exposure(Severity.MEDIUM, f"All traffic may leave to {everywhere}.{how}", found)


def _everywhere(found: Opening, around: Surroundings) -> str | None:
    """The peer in words where it is the internet, or may be for all that is known; None where it is not."""
    peer = found.rule.peer
    known = around.prefix_lists.get(peer.value) if peer.type is PeerType.PREFIX_LIST else None
    name = printable(known.name or peer.value, 80) if known else ""
    if found.breadth is not None and found.breadth >= Breadth.QUARTER:
        whole = f"the internet ({(found.range or world(found.version or 4)).text})"
        where = whole if found.breadth is Breadth.ALL else f"a {_quarter(found)}"
        return where + (f" through prefix list {name}" if known and not found.together else "")
    if known is not None and not known.aws_managed and not is_whole(known):
        return f"prefix list {name}, of which not all addresses are known"
    if known is not None and is_foreign(known, around):
        return f"prefix list {name} of account {printable(known.owner_id or '', 40)}, which can change it unseen"
    if found.breadth is not None or known is not None or peer.type is PeerType.SECURITY_GROUP:
        return None
    if peer.type is PeerType.PREFIX_LIST:
        return f"{peer_phrase(peer)}, whose addresses are not known"
    return f"{printable(peer.value, 60)}, which cannot be read and may be anywhere"


def nothing_new(exposure: Exposure, rule: SecurityGroupRule, others: str) -> Exposure:
    """The exposure of a rule that allows only what ``others`` are known to have allowed: medium at most."""
    least = min(exposure.severity, Severity.MEDIUM, key=lambda item: item.rank)
    reason = f"{rule_phrase(rule)} opens nothing new: {others} allow the same already."
    reason = reason[0].upper() + reason[1:]
    return exposure._replace(severity=least, reason=reason, opens=Opens.NOTHING, kind=ExposureKind.NOTHING_NEW)


def narrowed(item: ModifiedRule) -> Exposure:
    """The exposure of a modified rule that allows nothing more than it did."""
    before, after = item.before, item.after
    if before is not None and before.identity == after.identity:
        reason = "Only the description changed; nothing opened or closed."
        return Exposure(Severity.INFO, reason, (), after, Opens.NOTHING, ExposureKind.DESCRIPTION)
    was = f" ({rule_phrase(before)} before)" if before else ""
    reason = f"Good news: {rule_phrase(after)} allows nothing that was not allowed already{was}."
    return Exposure(Severity.LOW, reason, (), after, Opens.NOTHING, ExposureKind.NOTHING_NEW)


def removed(rule: SecurityGroupRule, *, still_allowed: bool, in_part: bool = False) -> Exposure:
    """The exposure of a rule that is gone; other rules may allow the same, or a part of it."""
    if is_ingress(rule) and is_world(rule.peer):
        reason = f"Good news: {service_phrase(rule)} is no longer open to {peer_phrase(rule.peer)} through this rule."
    else:
        reason = f"Removed: {rule_phrase(rule)}."
    exposure = Exposure(Severity.LOW, reason, (), rule, None, ExposureKind.REMOVAL)
    if still_allowed:
        exposure = exposure._replace(kind=ExposureKind.STILL_ALLOWED)
        return with_sentence(exposure, "Other rules of the group still allow the same.")
    if in_part:
        exposure = exposure._replace(kind=ExposureKind.PARTLY_ALLOWED)
        return with_sentence(exposure, "Other rules of the group still allow a part of it.")
    return exposure


def with_addresses(exposure: Exposure, addresses: Sequence[str]) -> Exposure:
    """With the public addresses of what the group protects."""
    has = "a public address" if len(addresses) == 1 else "public addresses"
    return with_sentence(exposure, f"What is attached has {has}: {few(addresses)}.")


def with_peers_before(exposure: Exposure, peers: Sequence[str], in_part: Sequence[str]) -> Exposure:
    """With who could use the same traffic before, and who could use a part of it."""
    parts = [f"{few(peers)} could"] if peers else []
    parts += [f"{few(in_part)}{'' if peers else ' could'} in part"] if in_part else []
    return with_sentence(exposure, f"Before, {', and '.join(parts) or 'nobody could'}.")


def few(items: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def is_of_the_internet(rule: SecurityGroupRule) -> bool:
    """Whether the rule may let in somebody on the internet."""
    if not is_ingress(rule) or rule.peer.type is PeerType.SECURITY_GROUP:
        return False
    found = parse_range(rule.peer.value) if rule.peer.type is not PeerType.PREFIX_LIST else None
    return found is None or breadth_of(found) > Breadth.PRIVATE
