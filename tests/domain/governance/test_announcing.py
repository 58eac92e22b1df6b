"""Who listens is told of each state once; what is to be done is found."""

from collections import Counter
from datetime import timedelta

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import webhooks
from domain.audit_events import AuditEvent
from domain.governance import announcing, cases, proposals
from domain.governance.lifecycle import Event, State
from domain.webhooks import EVENTS
from domain.webhooks.outbox import PROPOSAL_EVENTS
from domain.webhooks.record import Delivery
from tests import databases
from tests.factories import NOW
from tests.proposals import make_decided, make_draft, make_open, make_spend

HOUR = timedelta(hours=1)
WEEKS = 24 * 30


def listen(session, *events, application="commons"):
    return webhooks.create(
        session,
        application=application,
        url="https://example.org/",
        events=events or EVENTS,
        now=NOW,
    )


def told(session, endpoint):
    query = sa.select(Delivery.type, Delivery.data).where(
        Delivery.endpoint_id == endpoint.id
    )
    return list(session.execute(query))


def audited(session, case):
    query = sa.select(AuditEvent).where(AuditEvent.subject == f"proposal:{case.row.id}")
    return session.scalars(query.order_by(AuditEvent.id)).all()


def announce(session, case, *, now=NOW):
    return announcing.announce(session, case.row.id, now=now)


def test_there_is_an_event_for_every_state_but_the_first():
    expected = {f"proposal.{state}" for state in State} - {"proposal.draft"}

    assert set(PROPOSAL_EVENTS) == expected
    assert expected <= set(EVENTS)


def test_a_state_is_told_once_to_those_who_listen_for_it(session):
    every, one = listen(session), listen(session, "proposal.voting")
    other = listen(session, application="content")
    case = make_open(session)
    said = [announce(session, case) for _ in range(2)]

    assert said == [State.DISCUSSION, None]
    (kind, data), *more = told(session, every)
    assert (kind, more) == ("proposal.discussion", [])
    assert data == {
        "proposal_id": str(case.row.id),
        "type": "simple_majority",
        "state": "discussion",
    }
    assert told(session, one) == told(session, other) == []
    announce(session, case, now=case.timeline.voting)
    assert [kind for kind, _ in told(session, one)] == ["proposal.voting"]


def test_what_is_told_is_an_audit_event_with_who_did_it(session):
    case = make_open(session)
    announcing.announce(session, case.row.id, now=NOW, actor=case.row.author)
    announce(session, case, now=case.timeline.frozen)
    events = audited(session, case)

    assert [event.action for event in events] == ["proposal.state_changed"] * 2
    assert [event.details for event in events] == [
        {"from": "draft", "to": "discussion"},
        {"from": "discussion", "to": "frozen"},
    ]
    assert [event.actor for event in events] == [case.row.author, None]


@settings(max_examples=30)
@given(st.lists(st.integers(0, WEEKS), max_size=8))
def test_announcing_decides_nothing_and_tells_what_is_so(engine, hours):
    """However seldom it is done, what was told last is so, and nothing twice."""
    with databases.rolled_back(engine) as session:
        case = make_open(session)
        endpoint = listen(session)
        expected = []
        for now in (NOW + hour * HOUR for hour in sorted(hours)):
            state = case.state(now)
            if expected[-1:] != [state]:
                expected.append(state)
            announce(session, case, now=now)
            assert cases.find(session, case.row.id).row.announced == str(state)
        seen = Counter(kind for kind, _ in told(session, endpoint))
        assert seen == Counter(f"proposal.{state}" for state in expected)


# What is due


def due(session, *, now=NOW, count=10_000):
    return set(announcing.due(session, now=now, count=count))


def settle(session, case, *, now=NOW):
    """Announce where a proposal is, so that nothing is due but work."""
    announce(session, case, now=now)
    return case.row.id


def test_what_was_told_and_waits_for_the_clock_is_not_due(session):
    draft, case = make_draft(session), make_open(session)
    assert case.row.id in due(session)
    settle(session, case)

    assert not {draft.row.id, case.row.id} & due(session)
    assert case.row.id in due(session, now=case.timeline.frozen)


def test_what_is_to_be_frozen_counted_or_carried_out_is_due(session):
    case = make_open(session)
    for moment, wanted in (("frozen", False), ("voting", True), ("closes", True)):
        now = getattr(case.timeline, moment)
        assert (settle(session, case, now=now) in due(session, now=now)) is wanted
    spend = make_spend(session)
    settle(session, spend)

    assert spend.row.id not in due(session)
    assert spend.row.id in due(session, now=spend.timeline.executable)


def test_what_is_over_is_never_due_again(session):
    over = [
        make_decided(session, type_name="simple_majority"),
        make_decided(session, type_name="simple_majority", passed=False),
        make_spend(session, closed_at=NOW - 90 * 24 * HOUR),
    ]
    cancelled = make_open(session)
    cases.happen(session, cancelled.row.id, Event.CANCELLED, now=NOW)
    for case in (*over, cancelled):
        settle(session, case)

    assert not {case.row.id for case in (*over, cancelled)} & due(session)
    assert not {case.row.id for case in (*over, cancelled)} & due(
        session, now=NOW + 9_999 * HOUR
    )


def test_a_draft_that_was_withdrawn_is_told_of(session):
    case = make_draft(session)
    proposals.cancel(session, case.row.id, actor=case.row.author, reason="-", now=NOW)

    assert case.row.id in due(session)
    assert announce(session, case) is State.CANCELLED


def test_work_nobody_can_do_keeps_nobody_waiting(session):
    stuck = [make_spend(session, closed_at=NOW - 60 * HOUR) for _ in range(3)]
    for case in stuck:
        settle(session, case)
    fresh = make_open(session)
    first = announcing.due(session, now=NOW, count=10_000)

    place = first.index(fresh.row.id)
    assert all(first.index(case.row.id) > place for case in stuck)
    assert len(announcing.due(session, now=NOW, count=2)) == 2
