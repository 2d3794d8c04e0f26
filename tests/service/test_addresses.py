"""Which addresses the service may be sent to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, strategies as st

from image_similarity.errors import UsageError
from image_similarity.service.guards.addresses import NAT64, Trusted, is_open

OPEN = (
    "93.184.216.34",
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "2606:2800:220:1::1",
    "2a00:1450::5",
    "64:ff9b::808:808",
)
REFUSED = (
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
    *(
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
    ),
    *("198.18.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001::1", "2001:db8::1", "3fff::1", "5f00::1", "fec0::1", "100::1"),
    *("2606:2800:220:1::1%eth0", "localhost", "", "1", "0x7f.1"),
)


@pytest.mark.parametrize("address", OPEN)
def test_an_address_of_the_open_internet_is_open(address: str) -> None:
    assert is_open(address)


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_for_special_purposes_is_not(address: str) -> None:
    assert not is_open(address)


WRAPPED = st.ip_addresses(v=4).map(lambda inner: IPv6Address(int(NAT64.network_address) | int(inner)))


@given(st.ip_addresses() | WRAPPED)
def test_nothing_is_open_that_python_takes_for_special(address: IPv4Address | IPv6Address) -> None:
    if is_open(str(address)):
        inner = IPv4Address(int(address) & 0xFFFF_FFFF) if address in NAT64 else address
        assert inner.is_global and not inner.is_multicast


def test_nothing_is_trusted_that_nobody_listed() -> None:
    nobody = Trusted.parse([])
    assert not nobody.host("localhost", 80)
    assert not nobody.address("127.0.0.1")


def test_a_shop_lists_hosts_ports_and_networks_of_its_own() -> None:
    trusted = Trusted.parse(["Images.internal", "media:8080", "10.1.0.0/16", "fd00:1::/64", "[::1]"])
    assert trusted.host("images.internal.", 99)
    assert trusted.host("media", 8080)
    assert not trusted.host("media", 80)
    assert not trusted.host("other.internal", 8080)
    assert trusted.address("10.1.255.1")
    assert trusted.address("fd00:1::5")
    assert trusted.address("::1")
    assert not trusted.address("10.2.0.1")
    assert not trusted.address("images.internal")


@pytest.mark.parametrize("entry", ["", "http://images", "a b", "media:http", "10.1.0.0/99", ":80"])
def test_an_entry_that_is_neither_is_refused(entry: str) -> None:
    with pytest.raises(UsageError, match="neither a host"):
        Trusted.parse([entry])
