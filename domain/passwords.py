"""Which passwords are accepted, and in which form they are hashed."""

import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

from domain.errors import Invalid

LENGTH_MIN: Final = 10
LENGTH_MAX: Final = 128

_COMMON: Final = Path(__file__).with_name("common_passwords.txt")


class WeakPassword(Invalid):
    """Others would guess this password; choose one that is long and only yours."""

    code = "weak_password"


def normal(password: str) -> str:
    """Return the form that is hashed: keyboards may write one letter differently."""
    return unicodedata.normalize("NFC", password)


def require_strong(password: str, *, username: str) -> None:
    """Raise WeakPassword, saying why; `password` is in its normal form."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise WeakPassword(f"A password has {LENGTH_MIN} to {LENGTH_MAX} characters.")
    folded = password.casefold()
    if username.casefold() in folded:
        raise WeakPassword("A password does not contain the username.")
    if folded in _common():
        raise WeakPassword("This is one of the passwords that are tried first.")


@cache
def _common() -> frozenset[str]:
    return frozenset(_COMMON.read_text().split())
