"""The database of a controller: one that says nothing for seconds counts as away."""

import select
import time
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from psycopg2 import OperationalError, extensions

from domain.db import create_controller_engine
from domain.settings import Settings

# Longer than the server lets a statement take: what comes later is not coming.
_ANSWER_SECONDS: Final = 6.0


def connect(settings: Settings) -> sa.Engine:
    """Return the engine of this process, in which nobody waits long for an answer."""
    # The server's own timeouts are of no use when it is the server that is frozen.
    extensions.set_wait_callback(partial(wait, seconds=_ANSWER_SECONDS))
    return create_controller_engine(settings)


def wait(connection: Any, *, seconds: float) -> None:
    """Wait until PostgreSQL has answered, for so long at most; psycopg2's callback."""
    until = time.monotonic() + seconds
    while (state := connection.poll()) != extensions.POLL_OK:
        number, left = [connection.fileno()], max(0.0, until - time.monotonic())
        if state == extensions.POLL_READ:
            ready = select.select(number, (), (), left)
        else:
            ready = select.select((), number, (), left)
        if not any(ready):
            # psycopg2 closes the connection: an answer may yet come on it.
            raise OperationalError(f"the database said nothing for {seconds:g} s")
