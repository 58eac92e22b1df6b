"""Ids: in the order of time, or derived from what they stand for."""

import os
import random
import threading
import time
from hashlib import sha256
from typing import Final
from uuid import UUID

_COUNTER_BITS: Final = 12
_RANDOM_BITS: Final = 62
_VARIANT: Final = 0b10 << _RANDOM_BITS
# Seeded by the system, then without a system call for each id. Ids are no secret: who
# may see what has one is asked each time.
_noise = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_noise.seed)
_lock = threading.Lock()
_last_tick = 0


def uuid7() -> UUID:
    """Return a UUIDv7 (RFC 9562, method 3) greater than all before in this process."""
    global _last_tick  # noqa: PLW0603  the generator's one word of state
    with _lock:
        tick = (time.time_ns() << _COUNTER_BITS) // 1_000_000
        _last_tick = tick = max(tick, _last_tick + 1)
    milliseconds, fraction = divmod(tick, 1 << _COUNTER_BITS)
    noise = _noise.getrandbits(_RANDOM_BITS)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | _VARIANT | noise)


def derived_id(*parts: object) -> UUID:
    """Return the UUIDv8 (RFC 9562) that these parts, and no others, always have.

    No part contains NUL, which stands between them.
    """
    text = "\0".join((str(len(parts)), *map(str, parts)))
    number = int.from_bytes(sha256(text.encode()).digest()[:16])
    number &= ~(0xF << 76 | 0b11 << _RANDOM_BITS)
    return UUID(int=number | 0x8 << 76 | _VARIANT)


def transfer_id(application: str, principal: UUID, nonce: str) -> UUID:
    """Return the id a ledger write has wherever it comes from: it exists only once."""
    return derived_id(application, principal, "ledger", nonce)
