"""Where a webhook may go: out, by TLS, and never to what is ours or next to us.

A name is looked up anew for each attempt, and what it leads to is held against
`may_be_reached` before anything is sent there.
"""

import re
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from domain.errors import Invalid

URL_LENGTH_MAX: Final = 2_000
PORTS: Final = frozenset({443, 8443})

_VISIBLE: Final = re.compile(r"[!-~]+")
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,62}"
)
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORT_OF: Final = {"https": 443, "http": 80}

_LOOPBACK: Final = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
# Of IPv6, only what is given to hosts. That leaves out each form that carries an IPv4
# address (mapped, compatible, NAT64), which might be any of those below.
_GIVEN: Final = ip_network("2000::/3")
# IANA's registries of special-purpose addresses; of IPv6, what of them is in the above.
_SPECIAL: Final = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8"),
            *("169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"),
            *("192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
        ),
    )
)


class WebhookUrlRefused(Invalid):
    """A webhook goes to https:// and a public host, on port 443 or 8443."""

    code = "webhook_url_refused"


class Target(NamedTuple):
    """Where a webhook is sent; `path` is what stands in the request's first line."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return the value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == _PORT_OF[self.scheme]
        return host if usual else f"{host}:{self.port}"


def read_target(url: str, *, loopback: bool = False) -> Target:
    """Return where a URL leads, or raise WebhookUrlRefused.

    `loopback`: this very host counts as public, on any port and without TLS.
    """
    if len(url) > URL_LENGTH_MAX or not _VISIBLE.fullmatch(url):
        raise WebhookUrlRefused
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise WebhookUrlRefused from None
    host = parts.hostname or ""
    here = loopback and host in _LOOPBACK_NAMES
    if parts.scheme not in ({"https", "http"} if here else {"https"}):
        raise WebhookUrlRefused
    if "@" in parts.netloc or parts.fragment or "\\" in url:
        raise WebhookUrlRefused
    port = _PORT_OF[parts.scheme] if port is None else port
    if not loopback and port not in PORTS:
        raise WebhookUrlRefused
    if not here and not _names_a_host(host, loopback=loopback):
        raise WebhookUrlRefused
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def _names_a_host(host: str, *, loopback: bool) -> bool:
    """Say whether this is a full name, or an address that may be reached."""
    return bool(_NAME.fullmatch(host)) or may_be_reached(host, loopback=loopback)


def may_be_reached(address: str, *, loopback: bool = False) -> bool:
    """Say whether an IP address is of a host that is neither ours nor next to us."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if any(found in network for network in _LOOPBACK):
        return loopback
    if isinstance(found, IPv6Address) and found not in _GIVEN:
        return False
    return not any(found in network for network in _SPECIAL)
