"""A guardian's veto: by whom, on what, until when."""

from datetime import timedelta

import pytest

from domain import roles
from domain.errors import Forbidden
from domain.governance import executing, vetoing
from domain.governance.cases import find, happen
from domain.governance.lifecycle import Event, State
from domain.governance.record import WrongState
from domain.governance.vetoing import NoVeto
from domain.roles import RoleTooLong
from tests.factories import NOW, make_user
from tests.proposals import make_decided, make_open, make_spend

DAY = timedelta(days=1)
PASSED = {"outcome": "passed"}


def make_guardian(session, *, until=NOW + 300 * DAY, now=NOW):
    user = make_user(session)
    roles.grant(session, user.id, "guardian", by=None, ends_at=until, now=now)
    return user.id


def veto(session, case, actor, *, now=NOW):
    said = {"reason": "The member has left.", "now": now}
    return vetoing.veto(session, case.row.id, actor=actor, **said)


def test_a_guardian_stops_what_is_queued_and_says_why(session):
    guardian = make_guardian(session)
    vetoed = veto(session, make_spend(session), guardian)
    event = vetoed.events[Event.VETOED]

    assert vetoed.state(NOW) is State.VETOED
    assert vetoed.state(NOW + 999 * DAY) is State.VETOED
    assert (event.actor, event.details) == (
        guardian,
        {"reason": "The member has left."},
    )


def test_a_count_that_came_late_leaves_guardians_all_of_the_timelock(session):
    guardian = make_guardian(session)
    opened = make_spend(session, passed=None, closed_at=NOW)
    late = NOW + 5 * DAY
    happen(session, opened.row.id, Event.TALLIED, details=PASSED, now=late)
    case = find(session, opened.row.id)
    last = late + 2 * DAY - timedelta.resolution

    assert case.state(late) is case.state(last) is State.QUEUED
    assert not executing.is_due(case, now=last)
    assert executing.is_due(case, now=late + 2 * DAY)
    assert veto(session, case, guardian, now=last).state(last) is State.VETOED


def test_only_who_is_a_guardian_at_that_moment_may(session):
    case = make_spend(session)
    once, someone = make_guardian(session, until=NOW + DAY / 2), make_user(session).id
    admin = make_user(session).id
    roles.grant(session, admin, "admin", by=None, ends_at=None, now=NOW)

    for actor in (once, someone, admin):
        with pytest.raises(Forbidden):
            veto(session, case, actor, now=NOW + DAY)
    assert veto(session, case, once).state(NOW) is State.VETOED


def test_there_is_a_veto_only_where_the_type_has_one(session):
    case = make_decided(session, type_name="simple_majority")

    with pytest.raises(NoVeto):
        veto(session, case, make_guardian(session))


def test_there_is_none_before_the_decision_nor_after_the_grace(session):
    guardian = make_guardian(session)
    details = {"to": str(guardian), "amount": 1}
    discussed = make_open(session, type_name="treasury_spend", details=details)
    expired = make_spend(session, closed_at=NOW - 30 * DAY)
    failed = make_spend(session, passed=False)

    for case in (discussed, expired, failed):
        with pytest.raises(WrongState):
            veto(session, case, guardian)


def test_a_veto_is_cast_once(session):
    guardian, case = make_guardian(session), make_spend(session)
    veto(session, case, guardian)

    with pytest.raises(WrongState):
        veto(session, case, guardian)


def test_a_guardian_is_too_late_once_it_is_done(session):
    case = make_spend(session)
    happen(session, case.row.id, Event.EXECUTED, now=NOW)

    with pytest.raises(WrongState, match="is executed"):
        veto(session, case, make_guardian(session))


@pytest.mark.parametrize("until", [None, NOW + 367 * DAY, NOW + 4_000 * DAY])
def test_nobody_is_a_guardian_for_more_than_a_year(session, until):
    with pytest.raises(RoleTooLong):
        make_guardian(session, until=until)


def test_who_was_one_for_a_year_may_be_one_again(session):
    user_id = make_guardian(session, until=NOW + 365 * DAY)
    later = NOW + 364 * DAY
    roles.grant(
        session, user_id, "guardian", by=None, ends_at=later + 365 * DAY, now=later
    )

    assert "guardian" in roles.effective(session, user_id, now=later + 300 * DAY)
