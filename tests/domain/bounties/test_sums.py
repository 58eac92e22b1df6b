"""Whatever is done to bounties, what is held is the reward of each unpaid place."""

from contextlib import suppress
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bounties import claiming, keeping
from domain.errors import DomainError
from domain.ledger import trial_balance
from tests import audit
from tests.bounties import balance_of, claim, close, create, creation, held, pay
from tests.factories import NOW, fund, make_user

PEOPLE = 4
ACTIONS = ("create", "claim", "pay", "reject", "close", "wait")

steps = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.integers(0, 3),  # whom
        st.integers(0, 3),  # which bounty, or how much
        st.integers(1, 3),  # how many
    ),
    max_size=40,
)


class Community:
    """A few people, what they do to bounties, and a model of a few lines."""

    def __init__(self, session):
        self.session = session
        self.now = NOW
        self.people = [make_user(session).id for _ in range(PEOPLE)]
        for person in self.people:
            fund(session, str(person), times=2)
        self.wealth = dict.fromkeys(self.people, 20)
        # Of each bounty: who created it, the reward, and the places not paid.
        self.model = {}
        self.paid = set()

    def do(self, action, whom, which, many):
        person = self.people[whom]
        if action == "create":
            self.create(person, which + 1, many)
        elif action == "wait":
            self.now += timedelta(days=which + many)
        elif self.model:
            bounty = list(self.model)[which % len(self.model)]
            getattr(self, action)(bounty, person)

    def create(self, creator, reward, many):
        expires = (self.now + timedelta(days=5)).isoformat()
        asked = creation(
            creator, reward=reward, participants_max=many, expires_at=expires
        )
        (done,) = create(self.session, asked, now=self.now)
        affordable = self.wealth[creator] >= reward * many
        assert (done.refusal is None) is affordable
        if affordable:
            self.wealth[creator] -= reward * many
            self.model[asked.id] = [creator, reward, many]

    def claim(self, bounty, person):
        with suppress(DomainError):
            claim(self.session, bounty, person, now=self.now)

    def reject(self, bounty, person):
        judge = self.model[bounty][0]
        with suppress(DomainError):
            claiming.reject(self.session, bounty, person, judge=judge, now=self.now)

    def pay(self, bounty, person):
        done = pay(self.session, bounty, person, now=self.now)
        if done.refusal is None and done.result["claim"]["paid_at"] is not None:
            first = (bounty, person) not in self.paid
            self.paid.add((bounty, person))
            self.model[bounty][2] -= first
            self.wealth[person] += first * self.model[bounty][1]

    def close(self, bounty, _person):
        done = close(self.session, bounty, now=self.now)
        if done.refusal is None:
            creator, reward, left = self.model[bounty]
            self.wealth[creator] += reward * left
            self.model[bounty][2] = 0

    def check(self):
        for bounty, (_, reward, left) in self.model.items():
            assert held(self.session, bounty) == reward * left
            assert keeping.find(self.session, bounty).held == reward * left
        for person, wealth in self.wealth.items():
            assert balance_of(self.session, person) == wealth


@settings(max_examples=40)
@given(steps)
def test_what_is_held_is_the_reward_of_each_unpaid_place(session, done):
    savepoint = session.begin_nested()
    community = Community(session)
    for step in done:
        community.do(*step)
    community.check()

    assert trial_balance(session, application="commons").sum == 0
    assert audit.faults(session) == []
    savepoint.rollback()
