"""Answers that never change, kept in the process that made them."""

from collections import OrderedDict
from typing import Final

_BYTES_MAX: Final = 16 * 1024 * 1024
# One long answer must not push out all the others.
_ANSWER_BYTES_MAX: Final = 1024 * 1024


class Kept:
    """Some megabytes of answers; those not asked for longest make room."""

    def __init__(self) -> None:
        self._answers: OrderedDict[object, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, name: object) -> bytes | None:
        """Return an answer that was kept."""
        found = self._answers.get(name)
        if found is not None:
            self._answers.move_to_end(name)
        return found

    def keep(self, name: object, body: bytes) -> None:
        """Keep an answer that will be the same for ever, unless it is too long."""
        if len(body) > _ANSWER_BYTES_MAX or name in self._answers:
            return
        self._answers[name] = body
        self._bytes += len(body)
        while self._bytes > _BYTES_MAX:
            _, old = self._answers.popitem(last=False)
            self._bytes -= len(old)
