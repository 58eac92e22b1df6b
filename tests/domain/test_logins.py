"""Refresh tokens against a model: one good token a login, and one that is forgiven."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain import logins
from domain.ids import uuid7
from domain.logins import (
    GRACE,
    LIFE_MAX,
    LOGINS_MAX,
    RECENT,
    UNUSED_MAX,
    Login,
    LoginTooOld,
    NoSuchLogin,
    Refreshed,
    Reused,
)
from tests import databases
from tests.factories import NOW, make_user

SECOND = timedelta(seconds=1)


def begin(session, user=None, now=NOW):
    user = user or make_user(session)
    return logins.start(session, user.id, device=None, now=now)


def standing(session, user_id, now=NOW):
    found = logins.page(session, user_id, start=None, limit=200, now=now)
    return [row.Login.id for row in found.items]


def test_a_token_is_good_until_it_was_not_used_for_long(session):
    token = begin(session).token

    assert logins.refresh(session, token, now=NOW + UNUSED_MAX) is None
    fresh = logins.refresh(session, token, now=NOW + UNUSED_MAX - SECOND)
    assert isinstance(fresh, Refreshed)


def test_a_login_ends_however_often_it_is_refreshed(session):
    token, now = begin(session).token, NOW
    while isinstance(found := logins.refresh(session, token, now=now), Refreshed):
        token, now = found.token, now + timedelta(days=20)

    assert found is None
    assert LIFE_MAX <= now - NOW <= LIFE_MAX + timedelta(days=20)


def test_too_many_logins_end_the_one_longest_unused(session):
    user = make_user(session)
    begun = [begin(session, user, NOW + n * SECOND) for n in range(LOGINS_MAX)]
    used = logins.refresh(session, begun[0].token, now=NOW + timedelta(hours=1))
    later = NOW + timedelta(hours=2)
    begin(session, user, later)
    left = standing(session, user.id, later)

    assert len(left) == LOGINS_MAX
    assert used.login.id in left
    assert begun[1].login.id not in left


def test_a_login_is_ended_by_its_person_alone(session):
    login = begin(session).login

    with pytest.raises(NoSuchLogin):
        logins.end(session, login.id, user_id=uuid7(), now=NOW)
    logins.end(session, login.id, user_id=login.user_id, now=NOW)
    with pytest.raises(NoSuchLogin):
        logins.end(session, login.id, user_id=login.user_id, now=NOW)


def test_all_but_one_end_together(session):
    user = make_user(session)
    begun = [begin(session, user).login.id for _ in range(3)]

    assert logins.end_all(session, user.id, but=begun[1], now=NOW) == 2
    assert standing(session, user.id) == [begun[1]]
    assert logins.end_all(session, user.id, now=NOW) == 1


def test_a_login_is_recent_for_a_quarter_of_an_hour(session):
    login = begin(session).login
    logins.require_recent(session, login.id, now=NOW + RECENT)

    with pytest.raises(LoginTooOld):
        logins.require_recent(session, login.id, now=NOW + RECENT + SECOND)


def test_logins_long_over_are_forgotten(session):
    ended, expired, standing_one = (begin(session).login for _ in range(3))
    logins.end(session, ended.id, user_id=ended.user_id, now=NOW)
    expired.expires_at = NOW
    session.flush()
    logins.forget(session, before=NOW + SECOND, count=1_000)
    session.expire_all()
    kept = {login.id for login in session.query(Login)}

    assert standing_one.id in kept
    assert not {ended.id, expired.id} & kept


class Family(RuleBasedStateMachine):
    """Whoever shows what, whenever: never are two different tokens both good."""

    engine = None

    def __init__(self):
        super().__init__()
        self.context = databases.rolled_back(self.engine)
        self.session = self.context.__enter__()
        self.now = NOW
        begun = begin(self.session)
        self.login, self.tokens = begun.login, [begun.token]
        self.turned, self.over = NOW, False

    def teardown(self):
        self.context.__exit__(None, None, None)

    @rule(seconds=st.sampled_from([1, 9, 10, 11, 60]))
    def wait(self, seconds):
        self.now += seconds * SECOND

    def show(self, token):
        return logins.refresh(self.session, token, now=self.now)

    @precondition(lambda self: not self.over)
    @rule()
    def refresh(self):
        found = self.show(self.tokens[-1])
        assert isinstance(found, Refreshed)
        assert found.token not in self.tokens
        self.tokens.append(found.token)
        self.turned = self.now

    @precondition(lambda self: len(self.tokens) > 1 and not self.over)
    @rule()
    def ask_again(self):
        found = self.show(self.tokens[-2])
        if self.now - self.turned <= GRACE:
            assert found.token == self.tokens[-1]
        else:
            assert isinstance(found, Reused)
            self.over = True

    @precondition(lambda self: len(self.tokens) > 2 and not self.over)
    @rule(data=st.data())
    def replay(self, data):
        token = data.draw(st.sampled_from(self.tokens[:-2]))
        assert isinstance(self.show(token), Reused)
        self.over = True

    @rule(mark=st.sampled_from("0123456789abcdef"), at=st.integers(36, 67))
    def guess(self, mark, at):
        token = self.tokens[-1]
        forged = token[:at] + mark + token[at + 1 :]
        if forged != token:
            assert self.show(forged) is None

    @precondition(lambda self: self.over)
    @rule(data=st.data())
    def come_too_late(self, data):
        assert self.show(data.draw(st.sampled_from(self.tokens))) is None

    @invariant()
    def ended_only_by_a_spent_token(self):
        self.session.refresh(self.login)
        assert (self.login.ended_at is not None) == self.over


def test_a_family_never_forks(engine):
    Family.engine = engine
    found = Family.TestCase
    found.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
    found().runTest()
