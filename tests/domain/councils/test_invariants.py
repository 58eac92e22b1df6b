"""Whatever happens to a council: no seat too many, one a person, and within the cap."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain import users
from domain.councils import keeping, recalls
from domain.councils.elections import NoVacancy
from domain.governance.cases import find, happen
from domain.governance.lifecycle import Event
from tests.elections import ELECTED, held, make_council, make_people, resign
from tests.factories import NOW, make_user

DAY = timedelta(days=1)
SEATS, CAP = 3, 1
PEOPLE = "abcdefg"
AFFILIATIONS = {"a": "red", "b": "Red", "c": "blue", "d": " blue", "e": "red"}

steps = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["elect all", "elect vacant"]),
            st.lists(st.permutations(PEOPLE), min_size=1, max_size=9),
        ),
        st.tuples(
            st.sampled_from(["resign", "recall", "recall all", "forget", "wait"]),
            st.integers(0, SEATS - 1),
        ),
    ),
    min_size=1,
    max_size=10,
)


class Life:
    """A council over the years, from one thing to the next."""

    def __init__(self, session):
        self.session = session
        self.people = make_people(session, PEOPLE)
        self.council = make_council(session, seats=SEATS, affiliation_cap=CAP)
        self.now = NOW

    def sitting(self):
        return keeping.members(self.session, self.council.id, at=self.now)

    def elect(self, ballots, *, everybody):
        standing = {
            name: user for name, user in self.people.items() if not user.deleted_at
        }
        here = set() if everybody else {seat.user.id for seat in self.sitting()}
        standing = {name: u for name, u in standing.items() if u.id not in here}
        words = [[one for one in ballot if one in standing] for ballot in ballots]
        if not any(words):
            return
        about = (self.session, self.council, standing, words, AFFILIATIONS)
        with suppress(NoVacancy):
            held(*about, everybody=everybody, now=self.now)
        self.now += ELECTED - NOW

    def recall(self, seat):
        by = [make_user(self.session).id for _ in "ab"]
        recall = recalls.call(
            self.session,
            self.council.id,
            caller=by[0],
            member_id=seat and seat.row.id,
            reason="They have not been seen since spring.",
            now=self.now,
        )
        recalls.second(self.session, self.council.id, recall.id, by=by[1], now=self.now)
        self.now += 15 * DAY
        passed = {"outcome": "passed"}
        proposal = recall.proposal_id
        happen(self.session, proposal, Event.TALLIED, details=passed, now=self.now)
        told = recalls.carry_out(
            self.session, find(self.session, proposal), now=self.now
        )
        happen(self.session, proposal, Event.EXECUTED, details=told, now=self.now)

    def do(self, action, given_):
        if action.startswith("elect"):
            self.elect(given_, everybody=action == "elect all")
        elif action == "wait":
            self.now += 150 * (given_ + 1) * DAY
        elif sitting := self.sitting():
            seat = sitting[given_ % len(sitting)]
            if action == "resign":
                resign(self.session, seat.row, now=self.now)
            elif action == "forget":
                users.delete(self.session, seat.user, now=self.now)
            else:
                self.recall(None if action == "recall all" else seat)

    def check(self):
        sitting = self.sitting()
        shared = Counter(
            seat.row.affiliation.strip().lower()
            for seat in sitting
            if seat.row.affiliation
        )

        assert len(sitting) <= SEATS
        assert len({seat.user.id for seat in sitting}) == len(sitting)
        assert all(number <= CAP for number in shared.values())
        assert all(seat.user.deleted_at is None for seat in sitting)
        self.now += timedelta(seconds=1)


@settings(max_examples=10)
@given(steps)
def test_a_council_is_never_overfull_or_beyond_its_cap(session, happening):
    with session.begin_nested() as savepoint:
        life = Life(session)
        life.elect([PEOPLE], everybody=True)
        life.check()
        for step in happening:
            life.do(*step)
            life.check()
        savepoint.rollback()
