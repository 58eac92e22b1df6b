"""Wait for what happens elsewhere: look again until it is so, or say it was not."""

import time

import sqlalchemy as sa

LOOK_SECONDS = 0.01


def eventually(condition, *, within=10.0):
    """Return the first true answer; fail when there is none in that many seconds."""
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not so within {within} s"
        time.sleep(LOOK_SECONDS)
    return answer


def somebody_waits(sessions):
    """Say whether a transaction in this database waits for another to end."""
    query = sa.text("""
        SELECT EXISTS (
            SELECT FROM pg_locks wanted
            JOIN pg_locks held USING (pid)
            JOIN pg_database ON pg_database.oid = held.database
            WHERE NOT wanted.granted AND held.granted
              AND datname = current_database())
    """)
    with sessions() as session:
        return session.scalar(query)
