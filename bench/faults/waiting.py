"""Wait for what happens elsewhere, for a limited time."""

import time
from collections.abc import Callable
from typing import TypeVar

_LOOK_SECONDS = 0.01

_T = TypeVar("_T")


def until(condition: Callable[[], _T | None], seconds: float, what: str) -> _T:
    """Return the first true answer, or raise TimeoutError saying what was awaited."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(_LOOK_SECONDS)
    return answer
