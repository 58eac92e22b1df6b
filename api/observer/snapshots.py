"""What was found lately: one asks for all who ask, about once a second."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final, Generic, NamedTuple, TypeVar

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.errors import unavailable

_log = structlog.get_logger()

FRESH_SECONDS: Final = 1.0
# So old it may be while somebody asks anew; who finds less than that waits for them.
_USABLE_SECONDS: Final = 3.0
_WAIT_SECONDS: Final = 6.0
# Lists are looked up in two lengths, so that limits cannot multiply the questions.
LIMIT_DEFAULT: Final = 10
LIMIT_MAX: Final = 100

_Content = TypeVar("_Content")


class Shown(NamedTuple):
    """A body, and a tag of everything in it but the time."""

    body: bytes
    tag: str


class Found(Generic[_Content]):
    """What was found at one moment, and each form in which it was shown."""

    def __init__(self, content: _Content) -> None:
        self.content = content
        self.at = datetime.now(UTC)
        self._shown: dict[object, Shown] = {}

    def show(self, form: object, describe: Callable[[], Mapping[str, Any]]) -> Shown:
        """Return one form of it, described when it is first asked for."""
        if form not in self._shown:
            described = describe()
            tag = sha256(orjson.dumps(described)).hexdigest()[:32]
            body = orjson.dumps({**described, "timestamp": self.at})
            self._shown[form] = Shown(body, tag)
        return self._shown[form]


class Snapshot(Generic[_Content]):
    """Asks one question, however many want to know."""

    def __init__(self, look: Callable[[], _Content]) -> None:
        self._look = look
        self._turn = threading.Lock()
        # None: the database did not answer.
        self._found: Found[_Content] | None = None
        self._looked = float("-inf")

    def __call__(self) -> Found[_Content]:
        """Return what was found lately; answer 503 while the database is away."""
        known = not self._older_than(FRESH_SECONDS) or self._renew()
        found = self._found
        if not known or found is None:
            raise unavailable(
                "database_unavailable", "The database does not answer; try again."
            )
        return found

    def _older_than(self, seconds: float) -> bool:
        return time.monotonic() - self._looked >= seconds

    def _renew(self) -> bool:
        """Look again, or leave it to who does so already; say whether that will do."""
        usable = not self._older_than(_USABLE_SECONDS)
        if not self._turn.acquire(timeout=0.0 if usable else _WAIT_SECONDS):
            return usable
        try:
            if self._older_than(FRESH_SECONDS):
                self._found = self._ask()
                self._looked = time.monotonic()
        finally:
            self._turn.release()
        return True

    def _ask(self) -> Found[_Content] | None:
        try:
            return Found(self._look())
        except SQLAlchemyError as error:
            _log.warning("database_unavailable", error=repr(error))
            return None


def by_limit(look: Callable[[int], _Content]) -> Callable[[int], Found[_Content]]:
    """Return what finds the newest of a list, as many as are wanted or some more."""
    few = Snapshot(partial(look, LIMIT_DEFAULT))
    many = Snapshot(partial(look, LIMIT_MAX))
    return lambda limit: few() if limit <= LIMIT_DEFAULT else many()
