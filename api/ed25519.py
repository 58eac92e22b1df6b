"""Ed25519 (RFC 8032): which public keys are sound, which signatures theirs."""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE: Final = pow(2, (_P - 1) // 4, _P)
_PRIME_ORDER: Final = 2**252 + 27742317777372353535851937790883648493

# Extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z.
_Point = tuple[int, int, int, int]
_NEUTRAL: Final[_Point] = (0, 1, 1, 0)


def sound(key: bytes) -> bool:
    """Say whether the key is one a signer can have made: a point of the prime order.

    For a point of small order some signatures fit any message, and with a part of small
    order verifiers may differ. OpenSSL looks at neither. Takes some two milliseconds.
    """
    point = _point(key)
    if point is None or point[0] == 0:
        return False
    x, y, z, _ = _times(_PRIME_ORDER, point)
    return x == 0 and y == z


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether the message was signed by the holder of the key."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _point(key: bytes) -> _Point | None:
    """Return the point 32 bytes encode, if they do and in the one way there is."""
    if len(key) != KEY_BYTES:
        return None
    number = int.from_bytes(key, "little")
    odd, y = number >> 255, number & (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if x * x % _P != square or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _times(number: int, point: _Point) -> _Point:
    total = _NEUTRAL
    while number:
        if number & 1:
            total = _add(total, point)
        point = _add(point, point)
        number >>= 1
    return total


def _add(one: _Point, other: _Point) -> _Point:
    """Add two points; the formula (RFC 8032 §5.1.4) holds for all there are."""
    a = (one[1] - one[0]) * (other[1] - other[0])
    b = (one[1] + one[0]) * (other[1] + other[0])
    c = 2 * _D * one[3] * other[3]
    d = 2 * one[2] * other[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P
