"""The API keys of applications: whose each is, by the table of keys."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session, sessionmaker

from api.credentials import Trusted
from domain.key_texts import well_formed
from domain.keys import authenticate
from domain.principals import Principal


class ApiKeys(Trusted):
    """The API keys of applications."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        super().__init__(self._authenticate)
        self._sessions = sessions

    def _authenticate(self, text: str) -> Principal | None:
        if not well_formed(text):
            return None
        with self._sessions.begin() as session:
            return authenticate(session, text, now=datetime.now(UTC))
