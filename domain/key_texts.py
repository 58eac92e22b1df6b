"""API keys as text: an id, a secret and a checksum; nothing is looked up here."""

import re
import secrets
import string
import zlib
from hashlib import sha256
from typing import Final

_ALPHABET: Final = string.digits + string.ascii_letters
_ID_LENGTH: Final = 12
_SECRET_LENGTH: Final = 40
_CHECK_LENGTH: Final = 6
_SHAPE: Final = re.compile(
    rf"pc_([0-9A-Za-z]{{{_ID_LENGTH}}})_"
    rf"([0-9A-Za-z]{{{_SECRET_LENGTH}}})([0-9A-Za-z]{{{_CHECK_LENGTH}}})"
)


def make() -> tuple[str, str]:
    """Return the id and the text of a new key."""
    identifier = _random(_ID_LENGTH)
    body = f"pc_{identifier}_{_random(_SECRET_LENGTH)}"
    return identifier, body + _check(body)


def well_formed(text: str) -> bool:
    """Say whether the text can be a key at all; costs no look-up."""
    match = _SHAPE.fullmatch(text)
    return match is not None and _check(text[:-_CHECK_LENGTH]) == match[3]


def identifier(text: str) -> str | None:
    """Return the id in the text of a key."""
    match = _SHAPE.fullmatch(text)
    return match and match[1]


def digest(text: str) -> bytes:
    """Return what is stored of a key in place of its text."""
    return sha256(text.encode()).digest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _check(body: str) -> str:
    """Return the CRC-32 of the text before it, in base 62: catches slips of the pen."""
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
