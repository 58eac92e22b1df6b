"""Vacuum the job table by what is queued, not by what was ever done.

Every job leaves one dead entry in the index claims are read from. By default they are
cleared when a fifth of the table is dead: after ten million jobs, once in two million.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_OFTEN = {
    # A hundredth, where a fifth is usual, at five times the usual speed: faster still,
    # it would be felt by every request of the second it takes.
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_threshold": "20000",
    "autovacuum_vacuum_cost_limit": "1000",
    # New rows are never updated twice: their pages are soon seen by all.
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    # The planner must not take a backlog of hours ago for today's.
    "autovacuum_analyze_scale_factor": "0.02",
    # Few dead rows on many pages are a reason to clear the indexes here, too.
    "vacuum_index_cleanup": "on",
}

# Looking at 30,000 rows, half a second at a time, tells the planner no more about them
# than a fifth of that: what it has to choose between here are indexes.
_SAMPLED = 20
_USUAL = -1


def upgrade() -> None:
    settings = ", ".join(f"{name} = {value}" for name, value in _OFTEN.items())
    op.execute(f"ALTER TABLE jobs SET ({settings})")
    _sample(_SAMPLED)


def downgrade() -> None:
    op.execute(f"ALTER TABLE jobs RESET ({', '.join(_OFTEN)})")
    _sample(_USUAL)


def _sample(target: int) -> None:
    # Of a table as much is looked at as any of its columns wants.
    inspector = sa.inspect(op.get_bind())
    for table in ("jobs", "transfers"):
        names = [column["name"] for column in inspector.get_columns(table)]
        columns = ", ".join(f"ALTER {name} SET STATISTICS {target}" for name in names)
        op.execute(f"ALTER TABLE {table} {columns}")
