"""What one opening means: who can now reach what, how bad that is, and which controls it breaks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import replace

from chalicelib.exposure.compare import Opening, Ports, address_range, is_ingress
from chalicelib.security_groups.address_ranges import (
    AddressRange,
    holds_private,
    is_public,
    parse_range,
    union_covers,
    world,
)
from chalicelib.security_groups.controls import ADMINISTRATION_PORTS, HIGH_RISK_PORTS, WEB_PORTS, world_controls
from chalicelib.security_groups.lookup_result import Facts, PrefixList
from chalicelib.security_groups.phrases import peer_phrase, printable, service_phrase
from chalicelib.security_groups.rules import ALL_PROTOCOLS, ICMP, WITH_PORTS, PeerType, SecurityGroupRule
from chalicelib.security_groups.severity import Exposure, Opens, Severity


def judge_opening(found: Opening, facts: Facts) -> Iterator[Exposure]:
    """The exposures of what one rule opens."""
    return map(_if_ingress, _judged(found, facts))


def _judged(found: Opening, facts: Facts) -> Iterator[Exposure]:
    rule = found.rule
    if not is_ingress(rule):
        yield _egress(found, facts)
    elif rule.peer.type is PeerType.SECURITY_GROUP:
        yield _from_group(found, facts)
    elif rule.peer.type is PeerType.PREFIX_LIST:
        yield from _from_prefix_list(found, facts)
    elif found.range is None:
        reason = f"The range {printable(rule.peer.value, 60)} cannot be read, so it may be anybody."
        yield Exposure(Severity.HIGH, reason, rule=rule, opens=Opens.SOME)
    else:
        yield _from_range(found, found.range)


def _if_ingress(exposure: Exposure) -> Exposure:
    """The same, with the doubt said where nobody knows which way the rule goes."""
    if exposure.rule is None or exposure.rule.direction is not None:
        return exposure
    doubt = "That is so if the rule is one of ingress, which the record does not say."
    return replace(exposure, reason=f"{exposure.reason} {doubt}")


def _from_range(found: Opening, source: AddressRange) -> Exposure:
    if source.is_world:
        return _world(found)
    if not is_public(source):
        whose = "a private address" if source.first == source.last else "private addresses"
        return _some(Severity.LOW, f"{source.text} ({whose}) can {_use(found)}.", found)
    widest = 8 if source.version == 4 else 16
    reason = f"{source.text} ({_size(source)}) can {_use(found)}{_risk(found)}."
    if source.prefix <= widest and _is_risky(found.protocol, found.ports):
        return _some(Severity.HIGH, f"{reason} That is a public range of /{widest} or wider.", found)
    return _some(Severity.MEDIUM, reason, found)


def _some(severity: Severity, reason: str, found: Opening) -> Exposure:
    """The exposure of an opening to less than the whole internet."""
    return Exposure(severity, reason, rule=found.rule, opens=Opens.SOME)


def _size(source: AddressRange) -> str:
    if source.version == 6:
        whole = "a public address" if source.first == source.last else "public addresses"
        return "public in part" if holds_private(source) else whole
    addresses = source.last - source.first + 1
    count = f"{addresses:,}" if holds_private(source) else f"{addresses:,} public"
    return f"{count} address{'' if addresses == 1 else 'es'}{', not all public' if holds_private(source) else ''}"


def _world(found: Opening) -> Exposure:
    source, protocol, ports = found.range, found.protocol, found.ports
    if protocol in ICMP or (protocol in WITH_PORTS and _only_web(ports)):
        severity = Severity.MEDIUM
    elif _is_risky(protocol, ports):
        severity = Severity.CRITICAL
    else:
        severity = Severity.HIGH
    version = source.version if source else 4
    who = "Anyone on the internet" + (f" ({source.text})" if source else "")
    reason = f"{who} can {_use(found)}{_risk(found)}.{_how(found)}"
    return Exposure(severity, reason, world_controls(protocol, ports, version), found.rule, Opens.WORLD)


def _how(found: Opening) -> str:
    return " Several rules do this together: their ranges cover every address." if found.together else ""


def _use(found: Opening) -> str:
    """What became possible: ``reach tcp/22``, ``send any traffic``, ``send icmp``."""
    if found.protocol == ALL_PROTOCOLS:
        return "send any traffic"
    return f"{'reach' if found.protocol in WITH_PORTS else 'send'} {_service(found)}"


def _service(found: Opening) -> str:
    """What became reachable, in words: the rule's own ports, or of a widened rule only the new ones."""
    if found.protocol not in WITH_PORTS:
        alike = found.protocol == found.rule.protocol
        return service_phrase(found.rule if alike else replace(found.rule, protocol=found.protocol, from_port=None))
    if found.protocol == found.rule.protocol and found.ports == (found.rule.ports,):
        return service_phrase(found.rule)
    parts = (str(first) if first == last else f"{first}-{last}" for first, last in found.ports)
    return f"{found.protocol}/{','.join(parts)}"


def _only_web(ports: tuple[Ports, ...]) -> bool:
    return all(low == high and low in WEB_PORTS for low, high in ports)


_RISKY = sorted(HIGH_RISK_PORTS.keys() | ADMINISTRATION_PORTS.keys())


def _risky_ports(ports: tuple[Ports, ...]) -> list[int]:
    return [port for low, high in ports for port in _RISKY[bisect_left(_RISKY, low) : bisect_right(_RISKY, high)]]


def _is_risky(protocol: str, ports: tuple[Ports, ...]) -> bool:
    return protocol == ALL_PROTOCOLS or (protocol in WITH_PORTS and bool(_risky_ports(ports)))


def _risk(found: Opening) -> str:
    """What makes the newly open ports worse than others, as the end of a sentence."""
    if found.protocol == ALL_PROTOCOLS:
        return " on every port, SSH and RDP included"
    risky = _risky_ports(found.ports) if found.protocol in WITH_PORTS else []
    if not risky:
        return ""
    names = {**HIGH_RISK_PORTS, **ADMINISTRATION_PORTS}
    if len(risky) == 1:
        (port,) = risky
        if found.ports == ((port, port),):
            return f" ({names[port]}), a high-risk port"
        return f", with the high-risk port {port} ({names[port]}) among them"
    # What people log in through says most.
    risky.sort(key=lambda port: port not in ADMINISTRATION_PORTS)
    shown = ", ".join(f"{port} ({names[port]})" for port in risky[:3])
    return f", with high-risk ports among them: {shown}{f' and {len(risky) - 3} more' if len(risky) > 3 else ''}"


def _from_group(found: Opening, facts: Facts) -> Exposure:
    rule = found.rule
    owner = rule.peer.account_id
    if owner and facts.account_id and owner != facts.account_id:
        return _some(Severity.MEDIUM, f"A group of another account ({printable(owner, 40)}) can {_use(found)}.", found)
    return _some(Severity.LOW, f"Members of {peer_phrase(rule.peer)} can {_use(found)}.", found)


def _from_prefix_list(found: Opening, facts: Facts) -> Iterator[Exposure]:
    rule = found.rule
    known = facts.prefix_lists.get(rule.peer.value)
    if known is None:
        reason = f"The addresses in {peer_phrase(rule.peer)} are not known; they can {_use(found)}."
        yield _some(Severity.MEDIUM, reason, found)
    elif not known.is_whole and not known.aws_managed:
        name = printable(known.name or rule.peer.value, 80)
        rest = f"Not all addresses in prefix list {name} are known; they can {_use(found)}."
        exposures = (*_from_entries(found, known), _some(Severity.MEDIUM, rest, found))
        yield max(exposures, key=lambda item: item.severity.rank)
    elif known.aws_managed:
        name = printable(known.name or rule.peer.value, 80)
        reason = f"{name}, a prefix list managed by AWS, can {_use(found)}."
        yield _some(Severity.LOW, reason, found)
    else:
        yield from _from_entries(found, known)


def _from_entries(found: Opening, known: PrefixList) -> Iterator[Exposure]:
    """The worst of a list's entries speaks for it; entries that together cover the internet are the internet."""
    judged = [
        _from_range(replace(found, ports=found.ports or _all_ports(found), range=item), item) for item in _ranges(known)
    ]
    worst = max(judged, key=lambda item: (item.severity.rank, item.opens is Opens.WORLD), default=None)
    name = printable(known.name or found.rule.peer.value, 80)
    if worst is None:
        reason = f"Prefix list {name} is empty; it lets nobody in yet."
        yield Exposure(Severity.LOW, reason, rule=found.rule, opens=Opens.NOTHING)
    else:
        yield replace(worst, reason=f"Through prefix list {name}: {worst.reason}", rule=found.rule)


def _ranges(known: PrefixList) -> list[AddressRange]:
    """What is in the list, and the whole internet where its entries together are that."""
    ranges = [item for item in map(parse_range, known.cidrs) if item]
    return ranges + [everything for everything in map(world, (4, 6)) if union_covers(ranges, everything)]


def known_ranges(rule: SecurityGroupRule, facts: Facts) -> list[AddressRange]:
    """The addresses of the rule's peer as far as they are known, those in a prefix list included."""
    if rule.peer.type is PeerType.PREFIX_LIST:
        known = facts.prefix_lists.get(rule.peer.value)
        return [] if known is None or known.aws_managed else _ranges(known)
    found = address_range(rule)
    return [] if found is None else [found]


def _all_ports(found: Opening) -> tuple[Ports, ...]:
    return ((0, 65535),) if found.protocol in WITH_PORTS else ()


def _egress(found: Opening, facts: Facts) -> Exposure:
    rule = found.rule
    everywhere = _everywhere(found, facts) if found.protocol == ALL_PROTOCOLS else None
    if everywhere is not None:
        return _some(Severity.MEDIUM, f"All traffic may leave to {everywhere}.{_how(found)}", found)
    return _some(Severity.LOW, f"Traffic may leave to {peer_phrase(rule.peer)}: {service_phrase(rule)}.", found)


def _everywhere(found: Opening, facts: Facts) -> str | None:
    """The peer in words where it is the whole internet, or may be for all that is known; None where it is not."""
    if found.range is not None:
        return f"the internet ({found.range.text})" if found.range.is_world else None
    peer = found.rule.peer
    if peer.type in (PeerType.IPV4, PeerType.IPV6):
        return f"{printable(peer.value, 60)}, which cannot be read and may be anywhere"
    if peer.type is not PeerType.PREFIX_LIST:
        return None
    known = facts.prefix_lists.get(peer.value)
    if known is None:
        return f"{peer_phrase(peer)}, whose addresses are not known"
    if known.aws_managed:
        return None
    name = printable(known.name or peer.value, 80)
    world_range = next((item for item in _ranges(known) if item.is_world), None)
    if world_range is not None:
        return f"the internet ({world_range.text}) through prefix list {name}"
    return None if known.is_whole else f"prefix list {name}, of which not all addresses are known"


def together_exposure(found: Opening, facts: Facts) -> Exposure:
    """The exposure of an opening that needs several rules."""
    return _if_ingress(_world(found) if is_ingress(found.rule) else _egress(found, facts))
