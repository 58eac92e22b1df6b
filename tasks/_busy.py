"""How many jobs this worker has in hand, told to the pool that it belongs to, if any.

The pool looks at it before it chooses who may end: memory both see, for a message would
be late.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_COUNT_MAX: Final = 255

_lock: Final = threading.Lock()
_count = 0
# Of a worker without a pool, its own.
_seen: memoryview = memoryview(bytearray(1))


def share(seen: memoryview) -> None:
    """Tell the count in this one byte from now on."""
    global _seen  # noqa: PLW0603  where it is told is the one word of state
    _seen = seen
    _seen[0] = _count


@contextmanager
def working() -> Iterator[None]:
    """Have something in hand during the block."""
    _change(+1)
    try:
        yield
    finally:
        _change(-1)


def count() -> int:
    """Return how much this worker has in hand."""
    return _count


def _change(by: int) -> None:
    global _count  # noqa: PLW0603  see above
    with _lock:
        _count += by
        _seen[0] = min(_count, _COUNT_MAX)
