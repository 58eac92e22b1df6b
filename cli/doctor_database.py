"""What `coin doctor` asks the database, each question within seconds."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cli.findings import Finding, fail, ok, warn
from domain.db import APP_ROLE, create_engine, session_factory
from domain.operations import differences
from domain.schema import needed, reached
from domain.settings import Settings

_STATEMENT_MS: Final = 3_000
_OLDEST, _NEWEST = 15, 18
_SKEW_WARN_SECONDS: Final = 2
_SKEW_FAIL_SECONDS: Final = 60
_DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")
_IMMUTABLE: Final = ("transfers", "contents")


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the server, its schema, and the role the application takes."""
    engine = create_engine(settings, role=False)
    try:
        with session_factory(engine)() as session:
            session.execute(sa.text(f"SET statement_timeout = {_STATEMENT_MS}"))
            yield _version(session)
            yield _durability(session)
            yield _clock(session)
            yield from _schema(session, settings)
    except SQLAlchemyError as error:
        yield fail(
            f"the database does not answer: {_short(error)}",
            "check DATABASE_URL, and that the server runs and lets this host in",
        )
    finally:
        engine.dispose()


def _version(session: Session) -> Finding:
    shown = session.scalar(sa.text("SHOW server_version"))
    major = int(session.scalar(sa.text("SHOW server_version_num")) or 0) // 10_000
    if major < _OLDEST:
        return fail(f"PostgreSQL {shown} is too old", f"upgrade to {_NEWEST}")
    if major > _NEWEST:
        return warn(
            f"PostgreSQL {shown} was never tried", f"use {_OLDEST} to {_NEWEST}"
        )
    return ok(f"PostgreSQL {shown} answers")


def _durability(session: Session) -> Finding:
    off = [
        name for name in _DURABLE if session.scalar(sa.text(f"SHOW {name}")) == "off"
    ]
    if off:
        return fail(
            f"a power cut would lose answered writes: {', '.join(off)} is off",
            "; ".join(f"ALTER SYSTEM SET {name} = on" for name in off)
            + "; SELECT pg_reload_conf()",
        )
    return ok("an answered write is on the disk")


def _clock(session: Session) -> Finding:
    theirs = session.scalar(sa.select(sa.func.clock_timestamp()))
    apart = abs((theirs - datetime.now(UTC)).total_seconds()) if theirs else 0.0
    what = f"the clocks of this host and the database are {apart:.1f} s apart"
    if apart > _SKEW_FAIL_SECONDS:
        return fail(what, "run NTP on both hosts")
    if apart > _SKEW_WARN_SECONDS:
        return warn(what, "run NTP on both hosts")
    return ok("the clocks of this host and the database agree")


def _schema(session: Session, settings: Settings) -> Iterator[Finding]:
    current, wanted = _revision(session), needed()
    if current is None or current < wanted:
        yield fail(
            f"the schema is at {current or 'nothing'}, the code expects {wanted}",
            "coin migrate",
        )
        return
    yield ok(f"the schema is at {current}")
    if found := differences(session):
        yield fail(
            f"operations in code and database differ: {'; '.join(found)}",
            "coin operations migrate, then coin migrate",
        )
    else:
        yield ok("operations in code and database agree")
    yield _role(settings)


def _revision(session: Session) -> str | None:
    if session.scalar(sa.text("SELECT to_regclass('alembic_version')")) is None:
        return None
    return reached(session)


def _role(settings: Settings) -> Finding:
    engine = create_engine(settings)
    may = sa.text("SELECT has_table_privilege(current_user, :table, 'UPDATE, DELETE')")
    try:
        with closing(engine.connect()) as connection:
            loose = [
                table
                for table in _IMMUTABLE
                if connection.scalar(may, {"table": table})
            ]
    except SQLAlchemyError as error:
        return fail(
            f"the login may not act as role {APP_ROLE}: {_short(error)}",
            f"GRANT {APP_ROLE} TO the login in DATABASE_URL",
        )
    finally:
        engine.dispose()
    if loose:
        return fail(
            f"role {APP_ROLE} may rewrite {', '.join(loose)}",
            f"REVOKE UPDATE, DELETE ON {', '.join(loose)} FROM {APP_ROLE}",
        )
    return ok(f"role {APP_ROLE} may add to the books and not rewrite them")


def _short(error: SQLAlchemyError) -> str:
    reason = str(getattr(error, "orig", None) or error).strip()
    return reason.splitlines()[0] if reason else type(error).__name__
