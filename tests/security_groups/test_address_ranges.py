"""Address ranges: what is of the internet, and what is all of it."""

from __future__ import annotations

import pytest

from chalicelib.security_groups.address_ranges import holds_private, is_public, parse_range, union_covers, world


@pytest.mark.parametrize(
    ("cidr", "public"),
    [
        ("10.0.0.0/8", False),
        ("10.0.0.0/7", True),
        ("172.16.0.0/12", False),
        ("172.16.0.0/11", True),
        ("172.32.0.0/16", True),
        ("192.168.0.0/16", False),
        ("192.169.0.0/16", True),
        ("100.64.0.0/10", False),
        ("100.127.255.255/32", False),
        ("100.128.0.0/16", True),
        ("100.0.0.0/8", True),
        ("127.0.0.1/32", False),
        ("203.0.113.0/24", True),
        ("198.51.100.0/24", True),
        ("192.0.2.0/24", True),
        ("8.8.8.8/32", True),
        ("0.0.0.0/0", True),
        ("::1/128", False),
        ("fd00::/8", False),
        ("fc00::/6", True),
        ("2001:db8::/32", True),
        ("2600::/16", True),
        ("::/0", True),
    ],
)
def test_what_is_public(cidr: str, public: bool) -> None:
    found = parse_range(cidr)
    assert found is not None
    assert is_public(found) is public


def test_a_range_that_is_partly_private_is_known_as_such() -> None:
    assert [
        holds_private(found) for text in ("10.0.0.0/7", "203.0.113.0/24", "::/0") if (found := parse_range(text))
    ] == [True, False, True]


@pytest.mark.parametrize(
    "text", ["", "text", "0/0", "1.2.3.4/33", "::/129", "1.2.3", "010.0.0.0/8", "fe80::1%eth0/64", "\ud800"]
)
def test_what_is_no_range_is_none(text: str) -> None:
    assert parse_range(text) is None


@pytest.mark.parametrize(
    ("cidrs", "covered"),
    [
        (["0.0.0.0/0"], True),
        (["0.0.0.0/1", "128.0.0.0/1"], True),
        (["128.0.0.0/1", "0.0.0.0/1"], True),
        (["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/2"], True),
        (["0.0.0.0/1", "0.0.0.0/2", "128.0.0.0/1"], True),
        (["0.0.0.0/1", "128.0.0.0/2"], False),
        (["0.0.0.0/1"], False),
        (["128.0.0.0/1", "128.0.0.0/1"], False),
        (["::/1", "8000::/1"], False),
        ([], False),
    ],
)
def test_ranges_that_together_cover_the_internet(cidrs: list[str], covered: bool) -> None:
    assert union_covers([found for cidr in cidrs if (found := parse_range(cidr))], world(4)) is covered


def test_ipv6_is_treated_alike() -> None:
    halves = [found for cidr in ("8000::/1", "::/1") if (found := parse_range(cidr))]
    assert union_covers(halves, world(6))
    assert not union_covers(halves[:1], world(6))
