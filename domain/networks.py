"""Addresses as they count: one IPv4 address, or the /64 an IPv6 address is in.

Whoever has one IPv6 address has all of its /64; counted apart they would never end.
"""

from ipaddress import (
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from domain.errors import Invalid

Network = IPv4Network | IPv6Network

HOST_BITS: Final = {4: 32, 6: 64}
# Wider than this, a block would take in whole countries.
_BITS_MIN: Final = {4: 16, 6: 32}


class NoSuchNetwork(Invalid):
    """This is no IP address and no network in CIDR notation."""

    code = "no_such_network"


class NetworkTooWide(Invalid):
    """Block at most an IPv4 /16 or an IPv6 /32 at a time."""

    code = "network_too_wide"


def host_network(text: str) -> Network:
    """Return what counts as one host; raise ValueError for what is no address."""
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return ip_network((address, HOST_BITS[address.version]), strict=False)


def read_network(text: str) -> Network:
    """Return the network to block: an address is its host, bounds are held."""
    try:
        network = ip_network(text) if "/" in text else host_network(text)
    except ValueError:
        raise NoSuchNetwork from None
    if network.prefixlen < _BITS_MIN[network.version]:
        raise NetworkTooWide
    if network.prefixlen > HOST_BITS[network.version]:
        return network.supernet(new_prefix=HOST_BITS[network.version])
    return network


def lies_in(network: Network, other: Network) -> bool:
    """Say whether a network is within another, of whichever version."""
    if isinstance(network, IPv4Network):
        return isinstance(other, IPv4Network) and network.subnet_of(other)
    return isinstance(other, IPv6Network) and network.subnet_of(other)
