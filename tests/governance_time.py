"""Time travel for governance: what is stored of a proposal, moved into the past.

Where a test can pass `now` it does. Over HTTP the clock is the real one: there what has
happened is made to have happened earlier, as only who owns the tables may.
"""

from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.db import create_engine
from domain.settings import Settings

# Every time that is stored of one proposal, by the table and the column of its id.
TIMES = {
    ("proposals", "id"): ("created_at",),
    ("proposal_texts", "proposal_id"): ("at",),
    ("proposal_events", "proposal_id"): ("at",),
    ("proposal_freezes", "proposal_id"): ("at",),
    ("ballots", "proposal_id"): ("cast_at",),
    ("conflicts_of_interest", "proposal_id"): ("at",),
    ("tallies", "proposal_id"): ("at",),
    ("nominations", "proposal_id"): ("at", "withdrawn_at"),
    ("recalls", "proposal_id"): ("called_at", "seconded_at"),
}


def age(where: str | Session, proposal_id: UUID | str, **by: float) -> None:
    """Make a proposal older by so many `days`, `hours` …, with all that belongs to it.

    `where` is the URL of a database, in which it is committed, or a session.
    """
    bound = {"id": str(proposal_id), "by": timedelta(**by)}
    with _owning(where) as session:
        for (table, key), columns in TIMES.items():
            moved = ", ".join(f"{column} = {column} - :by" for column in columns)
            statement = f"UPDATE {table} SET {moved} WHERE {key} = :id"  # noqa: S608
            session.execute(sa.text(statement), bound)


@contextmanager
def _owning(where):
    """Yield a session of who owns the tables, with triggers off."""
    if isinstance(where, Session):
        where.flush()
        role = where.scalar(sa.text("SELECT current_user"))
        where.execute(sa.text("SET LOCAL ROLE NONE"))
        where.execute(sa.text("SET LOCAL session_replication_role = replica"))
        yield where
        where.execute(sa.text("SET LOCAL session_replication_role = origin"))
        where.execute(sa.text(f'SET LOCAL ROLE "{role}"'))
        where.expire_all()
        return
    engine = create_engine(Settings(database_url=where), role=False)
    with Session(engine) as session, session.begin():
        session.execute(sa.text("SET LOCAL session_replication_role = replica"))
        yield session
    engine.dispose()
