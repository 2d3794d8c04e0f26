"""Which network addresses the service may fetch from: public ones, and those that the shop trusts.

Else a client could make the service request what only the service can reach (SSRF): the machine itself, its network,
a cloud's metadata. The refused ranges follow the registries of special-purpose addresses
(https://www.iana.org/assignments/iana-ipv4-special-registry, .../iana-ipv6-special-registry).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

from image_similarity.errors import UsageError

IPV4_REFUSED = tuple(
    IPv4Network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # a public number, but on Azure's machines it is a service of Azure's own
    )
)
IPV6_OPEN = IPv6Network("2000::/3")
"""All global unicast addresses; the ranges below are special in it: protocols, documentation, embedded IPv4 (6to4)."""
IPV6_REFUSED = tuple(
    IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 addresses in networks without IPv4: the last four bytes."""


def is_open(text: str) -> bool:
    """Whether an IP address is public; False for a text that is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in IPV4_REFUSED)
    if address.scope_id is not None:
        return False
    if address in NAT64:
        return is_open(str(IPv4Address(int(address) & 0xFFFF_FFFF)))
    return address in IPV6_OPEN and not any(address in network for network in IPV6_REFUSED)


@dataclass(frozen=True, slots=True)
class Trusted:
    """The shop's own hosts, with or without a port, and networks; none by default."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Trusted:
        """Read ``images.internal``, ``images.internal:8080``, ``10.1.0.0/16``, ``fd00:1::/64``.

        Raises:
            UsageError: an entry is none of these.
        """
        hosts, networks = set(), []
        for entry in entries:
            try:
                networks.append(ip_network(entry.strip("[]")))
            except ValueError:
                hosts.add(_host(entry))
        return cls(frozenset(hosts), tuple(networks))

    def host(self, name: str, port: int) -> bool:
        """Whether a host is trusted at this port, whatever its name resolves to."""
        name = plain(name)
        return (name, None) in self.hosts or (name, port) in self.hosts

    def address(self, text: str) -> bool:
        """Whether an address is in a listed network."""
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self.networks)


def plain(name: str) -> str:
    """A host name for comparison: lower case, without a final dot."""
    return name.lower().rstrip(".")


def _host(entry: str) -> tuple[str, int | None]:
    name, colon, port = plain(entry.strip()).partition(":")
    if not name or "/" in name or any(c.isspace() for c in name) or (colon and not port.isdecimal()):
        raise UsageError(
            f"{entry!r} is neither a host (images.internal, images.internal:8080) nor a network (10.1.0.0/16)"
        )
    return name, int(port) if colon else None
