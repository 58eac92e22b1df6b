from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import logins, people, roles
from domain.roles import EndsTooEarly, NoSuchRole, UnknownRole
from domain.users import NoSuchUser
from tests import databases
from tests.factories import NOW, make_user

DAY = timedelta(days=1)


def grant(session, user, role="council", *, days=None, now=NOW):
    ends_at = None if days is None else now + days * DAY
    return roles.grant(session, user.id, role, by=None, ends_at=ends_at, now=now)


def test_a_role_is_held_until_its_end_and_no_longer(session):
    user = make_user(session)
    grant(session, user, days=2)

    for now, held in ((NOW, True), (NOW + 2 * DAY, False), (NOW - DAY, False)):
        assert ("council" in roles.effective(session, user.id, now=now)) is held


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["grant", "revoke"]),
            st.sampled_from(["council", "operator"]),
            st.none() | st.integers(1, 5),
        ),
        max_size=12,
    )
)
def test_what_is_held_is_what_a_calendar_says(engine, steps):
    """One step a day: the last grant of a role counts, until revoked or over."""
    with databases.rolled_back(engine) as session:
        user, model = make_user(session), {}
        for day, (step, role, days) in enumerate(steps):
            now = NOW + day * DAY
            held = {name for name, end in model.items() if end is None or end > day}
            assert roles.effective(session, user.id, now=now) == held
            if step == "grant":
                grant(session, user, role, days=days, now=now)
                model[role] = None if days is None else day + days
            elif role in held:
                roles.revoke(session, user.id, role, by=None, now=now)
                del model[role]
            else:
                with pytest.raises(NoSuchRole):
                    roles.revoke(session, user.id, role, by=None, now=now)


def test_who_is_logged_in_has_their_roles_of_the_moment(session):
    user = make_user(session)
    login = logins.start(session, user.id, device=None, now=NOW).login

    def held(now=NOW):
        return roles.of_login(session, login.id, user_id=user.id, now=now)

    assert held() == frozenset()
    grant(session, user, days=1)
    grant(session, user, "operator")
    assert held() == {"council", "operator"}
    assert held(NOW + DAY) == {"operator"}
    other = make_user(session)
    assert roles.of_login(session, login.id, user_id=other.id, now=NOW) is None
    people.remove(session, user.id, now=NOW)
    assert held() is None


def test_a_grant_must_make_sense(session):
    user = make_user(session)

    with pytest.raises(UnknownRole):
        grant(session, user, "member")
    with pytest.raises(EndsTooEarly):
        grant(session, user, days=0)
    people.remove(session, user.id, now=NOW)
    with pytest.raises(NoSuchUser):
        grant(session, user)
