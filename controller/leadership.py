"""Leadership: of all controllers on a database one acts, the others stand by."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from domain import scaling

# Six cycles: whoever has not spoken for so long hangs, or its host is lost.
_SILENT_SECONDS: Final = 30.0
_STILL_THERE: Final = sa.text("SELECT 1")


class DatabaseAway(Exception):
    """Nobody can say who leads."""


class Leadership:
    """A lock that lasts as long as one connection does, and while it is spoken on.

    A pooler between us and the server must keep sessions whole: one that parts them by
    transactions would leave the lock with somebody else.
    """

    def __init__(
        self, engine: sa.Engine, *, silent_seconds: float = _SILENT_SECONDS
    ) -> None:
        # Each statement by itself: a lock needs no transaction to stay open.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._silent_seconds = silent_seconds
        self._session: Session | None = None

    def held(self) -> bool:
        """Say whether we lead, after trying to; raise DatabaseAway if nobody can."""
        try:
            if self._session is None:
                self._session = self._won()
            else:
                self._session.execute(_STILL_THERE)
        except SQLAlchemyError as error:
            self.resign()
            raise DatabaseAway(type(error).__name__) from error
        return self._session is not None

    def resign(self) -> None:
        """Let another lead."""
        if self._session is not None:
            self._session.invalidate()
            self._session = None

    def _won(self) -> Session | None:
        session = Session(self._engine)
        try:
            if scaling.lead(session, silent_seconds=self._silent_seconds):
                return session
        except SQLAlchemyError:
            session.invalidate()
            raise
        session.close()
        return None
