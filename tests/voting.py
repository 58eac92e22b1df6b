"""Votes as rows: a proposal with a frozen electorate, and ballots in it.

Who votes is nobody: a ballot needs an elector, and an elector no account.
"""

import json
from datetime import timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import sqlalchemy as sa

from domain.governance import cases, tallying
from domain.governance.freezing import FORMAT
from domain.governance.lifecycle import Event
from domain.governance.parameters import Parameters
from domain.governance.record import Freeze, Proposal, ProposalSeed, ProposalType
from domain.governance.texts import Text, write
from domain.governance.voting_record import (
    BallotReceipt,
    Elector,
    OpenBallot,
    Participation,
    SecretBallot,
    TallyPart,
)
from domain.ids import uuid7
from domain.tally import canonical, commitment
from tests.factories import NOW, make_claim, make_lane, make_user

SEED = bytes(range(32))
HOUR = timedelta(hours=1)
# When whatever was cast in time is surely stored.
SETTLED = tallying.SETTLING


def make_rules(**parameters):
    """Return rules under which voting opens at once."""
    given = {"about": "A test.", "method": "yes-no", "discussion_hours": 0}
    return Parameters.read({**given, "freeze_hours": 0, **parameters})


class Vote:
    """One vote: opened at a time, by these rules, among so many people."""

    def __init__(self, session, *, people=10, options=(), opened=NOW, **parameters):
        self.session = session
        self.rules = make_rules(**parameters)
        self.options = tuple(options)
        self.opened = opened
        self.lane = make_lane()
        self.id = uuid7()
        self.voters = sorted(uuid4() for _ in range(people))
        self._store(f"test_{uuid4().hex}")

    @property
    def closes(self):
        return self.case().timeline.closes

    @property
    def after(self):
        """When it can be counted."""
        return self.closes + SETTLED

    def case(self):
        return cases.find(self.session, self.id)

    def happen(self, kind, at, **details):
        cases.happen(self.session, self.id, kind, now=at, details=details)

    def freeze(self, delegates=None, weights=None, **more):
        """Fix it, with whose vote is in whose hands by their places."""
        weights = weights or [1] * len(self.voters)
        delegates = {
            self.voters[one]: self.voters[other]
            for one, other in (delegates or {}).items()
        }
        electors = [
            {
                "proposal_id": self.id,
                "voter_id": voter,
                "weight": weight,
                "delegate_id": delegates.get(voter),
            }
            for voter, weight in zip(self.voters, weights, strict=True)
        ]
        if electors:
            self.session.execute(sa.insert(Elector), electors)
        definition = canonical(self._definition(sum(weights), more)).decode()
        frozen = Freeze(
            proposal_id=self.id,
            at=self.opened,
            people=len(self.voters),
            weight=sum(weights),
            definition=definition,
            sha256=sha256(definition.encode()).hexdigest(),
        )
        self.session.add(frozen)
        self.session.flush()
        return self

    def cast(self, *ballots, start=0):
        """Let voters cast a ballot each, one after another."""
        for voter, ballot in zip(self.voters[start:], ballots, strict=False):
            self.cast_one(voter, ballot)
        return self

    def cast_one(self, voter: UUID, ballot):
        """Let somebody cast a ballot, or another in its place."""
        key = {"proposal_id": self.id, "voter_id": voter}
        before = self.session.get(Participation, (self.id, voter))
        if before is None:
            self.session.add(Participation(**key))
            self.session.flush()
            self._turn_out(1)
        if self.rules.secret:
            self.session.add(
                SecretBallot(proposal_id=self.id, key=uuid4(), ballot=ballot)
            )
            receipt = sha256(uuid4().bytes).hexdigest()
            self.session.add(BallotReceipt(proposal_id=self.id, receipt=receipt))
        else:
            latest = sa.select(sa.func.max(OpenBallot.sequence)).filter_by(**key)
            self.session.add(
                OpenBallot(
                    **key,
                    sequence=(self.session.scalar(latest) or 0) + 1,
                    ballot=ballot,
                    cast_at=self.opened,
                    job_id=uuid7(),
                )
            )
        self.session.flush()

    def cast_many(self, ballots):
        """Cast a ballot of everybody's, in a few statements."""
        keys = [{"proposal_id": self.id, "voter_id": one} for one in self.voters]
        self.session.execute(sa.insert(Participation), keys)
        rows = [
            {
                **key,
                "sequence": 1,
                "ballot": ballot,
                "rationale": None,
                "cast_at": self.opened,
                "job_id": self.id,
            }
            for key, ballot in zip(keys, ballots, strict=True)
        ]
        self.session.execute(sa.insert(OpenBallot), rows)
        self._turn_out(len(rows))
        return self

    def start(self, now=None):
        return tallying.start(
            self.session, self.id, lane=self.lane, now=now or self.after
        )

    def step(self, part, *, now=None, count=tallying.BALLOTS_A_PART, **fields):
        """Run the job of a part."""
        payload = {"proposal_id": str(self.id), "part": part, "lane": self.lane}
        claim = make_claim(tallying.TALLY, payload, **fields)
        return tallying.run(self.session, claim, now=now or self.after, count=count)

    def count(self, *, now=None, count=tallying.BALLOTS_A_PART):
        """Count all of it, part by part; return the binding tally."""
        for part in range(1_000):
            told = self.step(part, now=now, count=count)
            if "outcome" in told:
                return tallying.binding(self.session, self.id)
        raise AssertionError("it does not end")

    def result(self):
        return json.loads(tallying.binding(self.session, self.id).result)

    def parts(self):
        found = sa.select(TallyPart).where(TallyPart.proposal_id == self.id)
        return self.session.scalars(found.order_by(TallyPart.part)).all()

    def _store(self, type_name):
        author = make_user(self.session).id
        self.session.add(
            ProposalType(
                name=type_name,
                version=1,
                parameters=self.rules.describe(),
                created_at=self.opened,
            )
        )
        self.session.flush()
        self.session.add(
            Proposal(
                id=self.id,
                type=type_name,
                type_version=1,
                author=author,
                created_at=self.opened - HOUR,
                announced="draft",
                turnout=0,
            )
        )
        self.session.flush()
        text = Text(
            title="A garden for all",
            description="Let us plant a garden by the canal.",
            options=self.options,
            details={},
        )
        now = self.opened - HOUR
        write(self.session, self.id, text, author=author, now=now)
        self.author = author

    def open(self):
        self.session.add(ProposalSeed(proposal_id=self.id, seed=SEED))
        self.happen(Event.OPENED, self.opened)
        return self

    def _turn_out(self, people):
        self.session.execute(
            sa.update(Proposal)
            .where(Proposal.id == self.id)
            .values(turnout=Proposal.turnout + people)
        )

    def _definition(self, weight, more):
        row = self.case().row
        return {
            "format": FORMAT,
            "proposal": str(self.id),
            "type": row.type,
            "type_version": 1,
            "parameters": self.rules.describe(),
            "text": {
                "title": "A garden for all",
                "options": list(self.options),
                "details": {},
            },
            "options": list(self.options),
            "seats": self.rules.seats,
            "electorate": {
                "people": len(self.voters),
                "weight": weight,
                "sha256": "0" * 64,
            },
            "voting_at": self.opened.isoformat(),
            "commitment": commitment(SEED),
            **more,
        }


def make_vote(session, *ballots, delegates=None, weights=None, **said):
    """Return a vote that is open, with ballots in it."""
    vote = Vote(session, **said).open()
    return vote.freeze(delegates, weights).cast(*ballots)
