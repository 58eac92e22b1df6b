"""Whom a request comes from: proxies are believed when they are trusted (RFC 7239 §8).

The one place that reads Forwarded and X-Forwarded-*; nobody else may.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

import falcon

from domain.networks import host_network

# What lies further to the left was there before any proxy of ours.
_HOPS_MAX: Final = 20
_REMEMBERED: Final = 10_000
UNKNOWN: Final = "unknown"


class Addresses:
    """Tells the address of clients, through the proxies of these networks."""

    def __init__(self, trusted_proxies: str = "") -> None:
        named = [text.strip() for text in trusted_proxies.split(",")]
        self._trusted = tuple(ip_network(text) for text in named if text)
        self._trusts = lru_cache(_REMEMBERED)(self._is_trusted)

    def client(self, req: falcon.Request) -> str:
        """Return the nearest hop that is none of our proxies.

        Two headers that say different things: the proxy wrote one of them and passed
        the other on, so the address is the proxy's.
        """
        peer: str = req.env.get("REMOTE_ADDR", "")
        if not self._trusts(peer):
            return peer
        found = {self._nearest(peer, hops) for hops in _chains(req)}
        return found.pop() if len(found) == 1 else peer

    def by_https(self, req: falcon.Request) -> bool:
        """Say whether the client used TLS, to us or to a proxy we trust."""
        if req.env.get("wsgi.url_scheme") == "https":
            return True
        stated = req.env.get("HTTP_X_FORWARDED_PROTO")
        if stated is None or not self._trusts(req.env.get("REMOTE_ADDR", "")):
            return False
        return {word.strip().lower() for word in stated.split(",")} == {"https"}

    def _nearest(self, peer: str, hops: Sequence[str]) -> str:
        nearest = peer
        for hop in reversed(hops[-_HOPS_MAX:]):
            address = _address(hop)
            if address is None:
                return nearest
            nearest = address
            if not self._trusts(address):
                return nearest
        return nearest

    def _is_trusted(self, address: str) -> bool:
        if not self._trusted:
            return False
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._trusted)


def _chains(req: falcon.Request) -> Iterator[list[str]]:
    """Yield who forwarded it for whom, from the client on, as each header has it."""
    if (named := req.env.get("HTTP_X_FORWARDED_FOR")) is not None:
        yield named.split(",")
    if (forwarded := req.forwarded) is not None:
        yield [hop.src or "" for hop in forwarded]


@lru_cache(_REMEMBERED)
def _address(hop: str) -> str | None:
    """Return the address of a node, which may have a port (RFC 7239 §6)."""
    text = hop.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None


@lru_cache(_REMEMBERED)
def counted(address: str) -> str:
    """Return the address as it counts: an IPv6 client's is its /64."""
    try:
        return str(host_network(address))
    except ValueError:
        return UNKNOWN


def client_of(req: falcon.Request) -> str:
    """Return the address of the client itself."""
    client: str = req.context.client
    return client


def address_of(req: falcon.Request) -> str:
    """Return the address a request counts for."""
    address: str = req.context.address
    return address
