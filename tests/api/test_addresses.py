"""Who calls, through proxies: what a client writes itself changes nothing."""

import pytest
from falcon import Request
from falcon.testing import create_environ
from hypothesis import given
from hypothesis import strategies as st

from api.addresses import UNKNOWN, Addresses, counted

PROXIES = Addresses("10.0.0.0/8, fd00::/8")
NO_PROXIES = Addresses()
PROXY = "10.0.0.1"
CLIENT = "198.51.100.7"
FORGED = "203.0.113.99"


def request(peer, *, scheme="http", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(create_environ(remote_addr=peer, headers=named, scheme=scheme))


CHAINS = {
    "nobody in between": (CLIENT, {}, CLIENT),
    "one proxy": (PROXY, {"X_Forwarded_For": CLIENT}, CLIENT),
    "two proxies": (PROXY, {"X_Forwarded_For": f"{CLIENT}, 10.0.0.2"}, CLIENT),
    "a forged hop before the client": (
        PROXY,
        {"X_Forwarded_For": f"{FORGED}, {CLIENT}"},
        CLIENT,
    ),
    "a forged hop that looks like a proxy": (
        PROXY,
        {"X_Forwarded_For": f"{FORGED}, 10.9.9.9, {CLIENT}, 10.0.0.2"},
        CLIENT,
    ),
    "a forged header, and no proxy": (CLIENT, {"X_Forwarded_For": FORGED}, CLIENT),
    "a forged Forwarded, and no proxy": (
        CLIENT,
        {"Forwarded": f"for={FORGED}"},
        CLIENT,
    ),
    "Forwarded": (PROXY, {"Forwarded": f"for={CLIENT};proto=https"}, CLIENT),
    "Forwarded with a port": (PROXY, {"Forwarded": f'for="{CLIENT}:4711"'}, CLIENT),
    "Forwarded with a forged hop": (
        PROXY,
        {"Forwarded": f"for={FORGED}, for={CLIENT};by=10.0.0.1"},
        CLIENT,
    ),
    "Forwarded with a quote left open": (
        PROXY,
        {"Forwarded": f'for="{FORGED}, for={CLIENT}'},
        CLIENT,
    ),
    "both headers alike": (
        PROXY,
        {"X_Forwarded_For": CLIENT, "Forwarded": f"for={CLIENT}"},
        CLIENT,
    ),
    "the other header forged": (
        PROXY,
        {"X_Forwarded_For": CLIENT, "Forwarded": f"for={FORGED}"},
        PROXY,
    ),
    "a hop that is no address": (
        PROXY,
        {"X_Forwarded_For": f"{FORGED}, unknown"},
        PROXY,
    ),
    "a hop that hides": (PROXY, {"Forwarded": "for=_hidden"}, PROXY),
    "an empty header": (PROXY, {"X_Forwarded_For": ""}, PROXY),
    "only proxies": (PROXY, {"X_Forwarded_For": "10.1.1.1, 10.0.0.2"}, "10.1.1.1"),
    "a port": (PROXY, {"X_Forwarded_For": f"{CLIENT}:1234"}, CLIENT),
    "IPv6": (PROXY, {"X_Forwarded_For": "2001:db8:1:2::3"}, "2001:db8:1:2::/64"),
    "IPv6 in brackets": (
        "fd00::1",
        {"Forwarded": 'for="[2001:db8:1:2::3]:443"'},
        "2001:db8:1:2::/64",
    ),
    "IPv4 within IPv6": (f"::ffff:{CLIENT}", {}, CLIENT),
    "no address at all": ("", {"X_Forwarded_For": FORGED}, UNKNOWN),
}


@pytest.mark.parametrize(("peer", "headers", "expected"), CHAINS.values(), ids=CHAINS)
def test_the_client_is_the_nearest_hop_that_is_no_proxy_of_ours(
    peer, headers, expected
):
    """RFC 7239 §8.1: what is to the left of a proxy one trusts may be made up."""
    found = counted(PROXIES.client(request(peer, **headers)))

    assert found == (f"{expected}/32" if expected.count(".") == 3 else expected)


@pytest.mark.parametrize("name", ["X_Forwarded_For", "Forwarded"])
def test_without_trusted_proxies_no_header_is_believed(name):
    value = FORGED if name == "X_Forwarded_For" else f"for={FORGED}"

    assert counted(NO_PROXIES.client(request(PROXY, **{name: value}))) == f"{PROXY}/32"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60))
def test_whatever_a_client_sends_is_to_the_left_of_what_the_proxy_adds(sent):
    added = f"{sent}, {CLIENT}" if sent.strip() else CLIENT

    assert PROXIES.client(request(PROXY, X_Forwarded_For=added)) == CLIENT


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60))
def test_nothing_in_forwarded_makes_a_client_another(sent):
    added = f"{sent}, for={CLIENT}" if sent.strip() else f"for={CLIENT}"

    # A quote left open may hide the client; nothing shows another in its place.
    assert PROXIES.client(request(PROXY, Forwarded=added)) in {CLIENT, PROXY}


def test_addresses_of_one_ipv6_network_count_as_one():
    assert counted("2001:db8::1") == counted("2001:db8::ffff:1")
    assert counted("2001:db8::1") != counted("2001:db8:0:1::1")


def test_a_proxy_that_is_trusted_says_whether_it_was_asked_by_https():
    assert PROXIES.by_https(request(PROXY, X_Forwarded_Proto="https"))
    assert not PROXIES.by_https(request(PROXY, X_Forwarded_Proto="http"))
    assert not PROXIES.by_https(request(PROXY))


def test_nobody_else_does():
    forged = request(CLIENT, X_Forwarded_Proto="https")

    assert not PROXIES.by_https(forged)
    assert not NO_PROXIES.by_https(forged)


def test_tls_of_our_own_is_https():
    assert NO_PROXIES.by_https(request(CLIENT, scheme="https"))
