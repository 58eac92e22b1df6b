"""Engine, sessions and the declarative base every record shares."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from domain.settings import Settings

# The role that may append to the books and never rewrite them (migration 0001).
APP_ROLE: Final = "coin_app"

_CONNECT_SECONDS: Final = 3
_LOCK_MS: Final = 5_000
_STATEMENT_MS: Final = 30_000
_POOL_WAIT_SECONDS: Final = 2


class Base(DeclarativeBase):
    """Base of every record."""


def create_engine(
    settings: Settings,
    *,
    role: bool = True,
    pool_size: int | None = None,
    pre_ping: bool = True,
    isolation: IsolationLevel = "READ COMMITTED",
) -> sa.Engine:
    """Connect lazily as the application's role; role=False keeps the login's rights."""
    options = [
        f"-c lock_timeout={_LOCK_MS}",
        f"-c statement_timeout={_STATEMENT_MS}",
        "-c timezone=UTC",
        # Helper processes take longer to start than the statements they would help.
        "-c max_parallel_workers_per_gather=0",
    ]
    if role:
        options.append(f"-c role={APP_ROLE}")
    url = sa.make_url(settings.database_url).set(drivername="postgresql+psycopg2")
    return sa.create_engine(
        url,
        pool_size=pool_size or settings.database_pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        # A restarted server costs nobody an answer.
        pool_pre_ping=pre_ping,
        isolation_level=isolation,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "options": " ".join(options),
            "application_name": "peoples-coin",
            "keepalives_idle": 30,
            "tcp_user_timeout": _STATEMENT_MS,
        },
    )


def create_store_engine(settings: Settings) -> sa.Engine:
    """Return the one connection that stores what is accepted, however many read.

    A statement is a transaction here, without BEGIN and COMMIT: one way there and back
    instead of four. Who uses it tries again when the connection was broken.
    """
    # Of the engine, not of its connections: those would be set back each time they are
    # returned, and a broken one would then never come back.
    return create_engine(settings, pool_size=1, pre_ping=False, isolation="AUTOCOMMIT")


def session_factory(engine: sa.Engine) -> sessionmaker[Session]:
    """Return sessions whose records stay readable after the edge has committed."""
    return sessionmaker(engine, expire_on_commit=False)
