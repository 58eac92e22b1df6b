"""Where webhooks may go: nowhere that is ours or next to us, in whatever disguise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.webhooks import WebhookUrlRefused, may_be_reached, read_target

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
]
REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",  # metadata at Alibaba
    "127.0.0.1",
    "127.1.2.3",
    "169.254.0.1",
    "169.254.169.254",  # metadata at most others
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::7f00:1",  # IPv4-compatible
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",  # Teredo
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata at AWS
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "",
    "localhost",
    "127.1",
    "0x7f.1",
    "2130706433",
    "017700000001",
    "1.1.1.1.1",
    "[::1]",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address):
    assert may_be_reached(address)


@pytest.mark.parametrize("address", REFUSED)
def test_any_other_may_not(address):
    assert not may_be_reached(address)


@given(st.ip_addresses())
def test_what_may_be_reached_is_global(address):
    """The standard library's own table is not wider than ours."""
    if may_be_reached(str(address)):
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_in_development_this_host_may_be_reached_too(address):
    assert may_be_reached(address, loopback=True)


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "::"]
)
def test_and_nothing_else_because_of_that(address):
    assert not may_be_reached(address, loopback=True)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.org", ("https", "example.org", 443, "/")),
        ("https://Example.ORG/Hook?a=b", ("https", "example.org", 443, "/Hook?a=b")),
        ("https://example.org:443/", ("https", "example.org", 443, "/")),
        ("https://a.example.org:8443/x", ("https", "a.example.org", 8443, "/x")),
        (
            "https://xn--bcher-kva.example/",
            ("https", "xn--bcher-kva.example", 443, "/"),
        ),
        ("https://1.1.1.1/x", ("https", "1.1.1.1", 443, "/x")),
        (
            "https://[2606:4700:4700::1111]/",
            ("https", "2606:4700:4700::1111", 443, "/"),
        ),
    ],
)
def test_a_good_url_is_read(url, target):
    assert read_target(url) == target


BAD = [
    "",
    "example.org",
    "//example.org/",
    "http://example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "https://",
    "https:///path",
    "https://localhost/",
    "https://redis/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f.0.0.1/",
    "https://2130706433/",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://user@example.org/",
    "https://user:password@example.org/",
    "https://@example.org/",
    "https://example.org@10.0.0.1/",
    "https://example.org:22/",
    "https://example.org:80/",
    "https://example.org:6379/",
    "https://example.org:0/",
    "https://example.org:99999/",
    "https://example.org:x/",
    "https://example.org/#part",
    "https://example.org\\@10.0.0.1/",
    "https://example.org/a b",
    "https://example.org/\r\nHost: x",
    "https://example.org/\0",
    "https://bücher.example/",
    "https://exa_mple.org/",
    "https://-a.example/",
    "https://example.org./",
    "https://.example.org/",
    "https://a..example/",
    "https://[::1/",
    "https://" + "a" * 64 + ".example/",
    "https://example.org/" + "a" * 2_000,
]


@pytest.mark.parametrize("url", BAD)
def test_a_bad_url_is_refused(url):
    with pytest.raises(WebhookUrlRefused):
        read_target(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/x",
        "http://localhost:1/",
        "https://[::1]:9/",
        "http://[::1]/",
    ],
)
def test_in_development_a_webhook_may_go_to_this_host(url):
    assert read_target(url, loopback=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "http://10.0.0.1/",
        "https://10.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "http://user@localhost/",
        "ftp://localhost/",
    ],
)
def test_and_nowhere_else_because_of_that(url):
    with pytest.raises(WebhookUrlRefused):
        read_target(url, loopback=True)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://example.org/", "example.org"),
        ("https://example.org:8443/", "example.org:8443"),
        ("https://[2606:4700:4700::1111]:8443/", "[2606:4700:4700::1111]:8443"),
    ],
)
def test_the_host_is_named_as_the_url_has_it(url, authority):
    assert read_target(url).authority == authority
