"""Ask others, and wait so long and no longer.

A timeout of a socket begins anew with each byte, and looking up a name has none: so the
asking is done in a thread, which is left to itself when its time is over.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

# How many may still be at it whom nobody waits for any more.
_UNDER_WAY_MAX: Final = 4

_Answer = TypeVar("_Answer")


class Deadline:
    """When somebody stops waiting; whoever asks looks at it before each step."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, or raise TimeoutError."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Patience:
    """Waits for whoever it asks, each time so many seconds at most."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(_UNDER_WAY_MAX)

    def ask(self, question: Callable[[Deadline], _Answer]) -> _Answer:
        """Return what a question returns, raise what it raises, or TimeoutError."""
        if not self._places.acquire(blocking=False):
            raise TimeoutError(f"{_UNDER_WAY_MAX} earlier requests have not ended")
        answer: Future[_Answer] = Future()
        threading.Thread(
            target=self._run, args=(question, answer), name="asking", daemon=True
        ).start()
        try:
            return answer.result(self._seconds)
        except TimeoutError:
            raise TimeoutError(f"no answer within {self._seconds:g} s") from None

    def _run(
        self, question: Callable[[Deadline], _Answer], answer: Future[_Answer]
    ) -> None:
        try:
            answer.set_result(question(Deadline(self._seconds)))
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            answer.set_exception(error)
        finally:
            self._places.release()
