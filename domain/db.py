"""Engine, sessions and the declarative base every record shares."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from domain.settings import Settings

# The role that may append to the books and never rewrite them (migration 0001).
APP_ROLE: Final = "coin_app"
# The role that reads what is shown of how the system does (migration 0007).
OBSERVER_ROLE: Final = "coin_observer"

_CONNECT_SECONDS: Final = 3
_LOCK_MS: Final = 5_000
_STATEMENT_MS: Final = 30_000
_POOL_WAIT_SECONDS: Final = 2
# Who only watches never has the database work for long.
_OBSERVER_MS: Final = 2_000
_OBSERVER_POOL_SIZE: Final = 2


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
    return _connect(
        settings.database_url,
        role=APP_ROLE if role else None,
        statement_ms=_STATEMENT_MS,
        pool_size=pool_size or settings.database_pool_size,
        pre_ping=pre_ping,
        isolation=isolation,
    )


def create_store_engine(settings: Settings) -> sa.Engine:
    """Return the one connection that stores what is accepted, however many read.

    A statement is a transaction here, without BEGIN and COMMIT: one way there and back
    instead of four. Who uses it tries again when the connection was broken.
    """
    # Of the engine, not of its connections: those would be set back each time they are
    # returned, and a broken one would then never come back.
    return create_engine(settings, pool_size=1, pre_ping=False, isolation="AUTOCOMMIT")


def create_observer_engine(settings: Settings) -> sa.Engine:
    """Connect lazily as the role that reads a few tables and writes none.

    Each statement stands alone: it sees what is committed, and holds nothing.
    """
    return _connect(
        settings.observability_database_url or settings.database_url,
        role=OBSERVER_ROLE,
        statement_ms=_OBSERVER_MS,
        pool_size=_OBSERVER_POOL_SIZE,
        isolation="AUTOCOMMIT",
        options=["-c default_transaction_read_only=on"],
    )


def session_factory(engine: sa.Engine) -> sessionmaker[Session]:
    """Return sessions whose records stay readable after the edge has committed."""
    return sessionmaker(engine, expire_on_commit=False)


def _connect(  # noqa: PLR0913  what connections differ in
    address: str,
    *,
    role: str | None,
    statement_ms: int,
    pool_size: int,
    pre_ping: bool = True,
    isolation: IsolationLevel = "READ COMMITTED",
    options: Sequence[str] = (),
) -> sa.Engine:
    chosen = [
        f"-c lock_timeout={min(_LOCK_MS, statement_ms)}",
        f"-c statement_timeout={statement_ms}",
        "-c timezone=UTC",
        # Helper processes take longer to start than the statements they would help.
        "-c max_parallel_workers_per_gather=0",
        *options,
    ]
    if role is not None:
        chosen.append(f"-c role={role}")
    return sa.create_engine(
        sa.make_url(address).set(drivername="postgresql+psycopg2"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        # A restarted server costs nobody an answer.
        pool_pre_ping=pre_ping,
        isolation_level=isolation,
        # Errors are logged; what people wrote, their votes among it, is not.
        hide_parameters=True,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "options": " ".join(chosen),
            "application_name": "peoples-coin",
            "keepalives_idle": 30,
            "tcp_user_timeout": _STATEMENT_MS,
        },
    )
