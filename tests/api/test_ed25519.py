"""Public keys that are sound, and signatures that are theirs."""

from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from api import ed25519
from tests.api.test_wallets import SMALL_ORDER

P = 2**255 - 19
seeds = st.binary(min_size=32, max_size=32)

# RFC 9421, appendix B.2.6 with the key of B.1.4.
RFC_KEY = b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
RFC_BASE = b"""\
"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" \
"content-length");created=1618884473;keyid="test-key-ed25519\""""
RFC_SIGNATURE = b64decode(
    "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1"
    "u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
)


def public(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


@given(seeds)
@settings(max_examples=30)
def test_the_key_of_any_signer_is_sound(seed):
    assert ed25519.sound(public(seed))


@given(seeds)
@settings(max_examples=30)
def test_a_key_with_a_part_of_small_order_is_not(seed):
    """Adding (0, -1), the point of order two, negates both coordinates."""
    number = int.from_bytes(public(seed), "little")
    odd, y = number >> 255, number & (1 << 255) - 1
    mixed = (P - y) | (1 - odd) << 255

    assert not ed25519.sound(mixed.to_bytes(32, "little"))


def test_no_point_of_small_order_is_sound():
    assert not any(ed25519.sound(bytes.fromhex(key)) for key in SMALL_ORDER)


@given(st.binary(max_size=40))
@settings(max_examples=100)
def test_whatever_the_bytes_the_answer_is_yes_or_no(key):
    assert ed25519.sound(key) in {True, False}


def test_a_key_has_one_encoding():
    """y = 3 and y = 3 + p would be the same point."""
    encodings = [number.to_bytes(32, "little") for number in range(P, 2**255)]

    assert not any(map(ed25519.sound, encodings))


def test_the_signature_of_the_rfc_is_verified():
    assert ed25519.sound(RFC_KEY)
    assert ed25519.verify(RFC_KEY, RFC_SIGNATURE, RFC_BASE)
    assert not ed25519.verify(RFC_KEY, RFC_SIGNATURE, RFC_BASE + b" ")


def test_a_signature_has_one_form():
    """RFC 8032 §5.1.7: an S beyond the group's order is refused."""
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(RFC_SIGNATURE[32:], "little") + order
    other = RFC_SIGNATURE[:32] + s.to_bytes(32, "little")

    assert not ed25519.verify(RFC_KEY, other, RFC_BASE)
