"""One question for all who ask the same at the same time."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")


class Together(Generic[_Answer]):
    """Asks once: who comes while a question is asked gets what comes of it.

    What they would all ask at once of a slow database would make it slower, and take
    its connections from everybody else.
    """

    def __init__(self) -> None:
        self._asked: dict[Hashable, Future[_Answer]] = {}

    def __call__(self, what: Hashable, ask: Callable[[], _Answer]) -> _Answer:
        """Return the answer, or raise what asking came to, for each of them."""
        answer = Future[_Answer]()
        asked = self._asked.setdefault(what, answer)
        if asked is not answer:
            return asked.result()
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)
            raise
        finally:
            del self._asked[what]
        return answer.result()
