"""A lane of a test's own, with what is put into it and what becomes of it."""

import json
from collections import Counter
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import undefer

from domain import jobs
from domain.ids import uuid7
from domain.jobs import Job, Outcome
from domain.ledger import balance
from tasks._drain import drain
from tests.factories import make_job, make_lane, make_write


class Lane:
    """A lane of the ledger queue that no other test knows."""

    def __init__(self, sessions):
        self.number = make_lane()
        self._sessions = sessions

    def submit(self, *made):
        with self._sessions.begin() as session:
            jobs.submit(session, made)

    def job(self, kind, payload=None, **fields):
        """Return a job of this moment, or of the lane's own queue's machinery."""
        now = datetime.now(UTC)
        text = payload if isinstance(payload, str) else json.dumps(payload or {})
        return make_job(
            lane=self.number, kind=kind, payload=text, submitted_at=now, **fields
        )

    def write(self, owner, operation="CREDIT_ADD", **fields):
        """Return a ledger write of this moment."""
        now = datetime.now(UTC)
        return make_write(
            operation, owner=owner, lane=self.number, submitted_at=now, **fields
        )

    def drain(self):
        drain("ledger", self.number)

    def rows(self):
        """Return the lane's jobs as they are now, in the order accepted."""
        query = sa.select(Job).options(undefer("*"))
        query = query.where(Job.lane == self.number).order_by(Job.position)
        with self._sessions() as session:
            return session.scalars(query).all()

    def states(self):
        return [row.state for row in self.rows()]

    def counts(self):
        return Counter(self.states())

    def balance(self, owner):
        """Return an owner's balance and version."""
        with self._sessions() as session:
            found = balance(session, application="commons", owner=owner)
            return found.balance, found.version

    def make_due(self):
        """Let jobs not wait for their next attempt."""
        waiting = sa.update(Job).where(
            Job.lane == self.number, Job.state == "queued", Job.run_at.is_not(None)
        )
        with self._sessions.begin() as session:
            session.execute(waiting.values(run_at=None))


def operation(owner, name="CREDIT_ADD", **fields):
    """Return the payload of an operation."""
    return {"owner_id": owner, "operation": name, "nonce": str(uuid7()), **fields}


def succeed(claims):
    return [Outcome(claim.id, result={}) for claim in claims]
