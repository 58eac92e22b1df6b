"""Each event is stored once for each endpoint that listens, with what it tells of."""

from collections import Counter
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from domain import jobs, webhooks
from domain.ids import uuid7
from domain.jobs import Outcome, claims
from domain.ledger import books
from domain.webhooks import EVENTS
from domain.webhooks.outbox import heard
from domain.webhooks.record import Delivery, Endpoint
from tests.domain.jobs.endings import (
    LATER,
    STATES,
    cancel,
    expire,
    fail,
    finish,
    refuse,
)
from tests.factories import (
    NOW,
    fund,
    make_job,
    make_lane,
    make_operation,
    make_origin,
    make_owner,
    make_transfer,
    post_one,
)

PRINCIPAL = uuid7()
ENDINGS = {end: f"job.{state}" for end, state in STATES.items()}

_numbers = count(1)


def make_application():
    """Return an application no other test has; jobs may be of any."""
    return f"application-{next(_numbers)}"


def listen(session, application, *events, **fields):
    return webhooks.create(
        session,
        **{
            "application": application,
            "url": "https://example.org/",
            "events": events or EVENTS,
            "now": NOW,
            **fields,
        },
    )


def told(session, endpoint):
    """Return what an endpoint is to be told, in order."""
    own = sa.select(Delivery).where(Delivery.endpoint_id == endpoint.id)
    return session.scalars(own.order_by(Delivery.position)).all()


def types(session, endpoint):
    return [delivery.type for delivery in told(session, endpoint)]


def submit(session, application, count=1, **fields):
    made = [
        make_job(application=application, principal=PRINCIPAL, **fields)
        for _ in range(count)
    ]
    jobs.submit(session, made)
    return made


@pytest.mark.parametrize(
    ("end", "event"), ENDINGS.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_however_a_job_ends_its_application_is_told(session, end, event):
    application = make_application()
    endpoint = listen(session, application)
    (job,) = submit(session, application, request_id="r-1", trace="t-1")
    end(session, job)

    (delivery,) = told(session, endpoint)
    assert delivery.type == event
    assert delivery.data == {"job_id": str(job.id), "kind": job.kind}
    assert (delivery.request_id, delivery.trace) == ("r-1", "t-1")
    assert delivery.at == delivery.due_at == (LATER if end is expire else NOW)
    assert (delivery.state, delivery.attempts) == ("waiting", 0)


def test_an_attempt_that_is_not_the_last_is_told_to_nobody(session):
    application = make_application()
    endpoint = listen(session, application)
    failed, lost = submit(session, application, 2)
    jobs.fail(session, failed.id, attempt=1, attempts_max=2, now=NOW)
    jobs.lease(session, lost.id, until=NOW, now=NOW)
    jobs.take_back(session, attempts_max=2, now=NOW)

    assert told(session, endpoint) == []


ended = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([finish, refuse, fail, cancel])),
    max_size=12,
)
listening = st.lists(
    st.tuples(st.integers(0, 2), st.sets(st.sampled_from(EVENTS), min_size=1)),
    max_size=5,
)


@given(ended=ended, listening=listening)
def test_each_job_is_one_event_for_each_endpoint_that_listens(
    session, ended, listening
):
    applications = [make_application() for _ in range(3)]
    endpoints = [
        (application, events, listen(session, applications[application], *events))
        for application, events in listening
    ]
    for application, end in ended:
        (job,) = submit(session, applications[application])
        end(session, job)

    for application, events, endpoint in endpoints:
        expected = Counter(
            ENDINGS[end]
            for other, end in ended
            if other == application and ENDINGS[end] in events
        )
        assert Counter(types(session, endpoint)) == expected


def test_a_batch_tells_of_every_job_of_it(session):
    application = make_application()
    endpoint = listen(session, application)
    made = submit(session, application, 50)
    outcomes = [Outcome(job.id, result={}) for job in made]
    heard = jobs.finish(session, outcomes, began=NOW, now=NOW)

    assert heard
    assert {d.data["job_id"] for d in told(session, endpoint)} == {
        str(job.id) for job in made
    }


def test_whoever_is_disabled_or_gone_is_told_nothing(session):
    application = make_application()
    disabled, removed = (listen(session, application) for _ in range(2))
    webhooks.switch(disabled, enabled=False, now=NOW)
    webhooks.remove(removed, now=NOW)
    session.flush()
    (job,) = submit(session, application)
    heard = jobs.finish(session, [Outcome(job.id, result={})], began=NOW, now=NOW)

    assert not heard
    assert told(session, disabled) == told(session, removed) == []


def test_jobs_of_the_system_itself_are_told_to_nobody(session):
    endpoint = listen(session, make_application())
    (job,) = submit(session, None)
    finish(session, job)

    assert told(session, endpoint) == []


@pytest.fixture
def commons(session):
    """An endpoint for the transfers of an application with accounts."""
    return listen(session, "commons", "transfer.posted")


def test_a_transfer_is_told_with_the_job_that_made_it(session, commons):
    (job,) = submit(session, "commons", request_id="r-2", trace="t-2")
    origin = make_origin(job_id=job.id)
    owner = make_owner()
    decision = post_one(session, make_operation(origin, owner=owner))

    (delivery,) = told(session, commons)
    assert delivery.type == "transfer.posted"
    assert delivery.data == {
        "transfer_id": str(decision.transfer.id),
        "job_id": str(job.id),
    }
    assert (delivery.request_id, delivery.trace) == ("r-2", "t-2")


def test_what_was_not_posted_is_not_told(session, commons):
    poor, rich = make_owner(), make_owner()
    post_one(session, make_transfer(source=poor, target=rich))
    operation = make_operation(owner=rich)
    post_one(session, operation)
    post_one(session, operation)

    assert types(session, commons) == ["transfer.posted"]


def test_every_transfer_of_a_batch_is_told(session, commons):
    decisions = fund(session, make_owner(), times=30)

    assert {d.data["transfer_id"] for d in told(session, commons)} == {
        str(decision.transfer.id) for decision in decisions
    }


def test_transfers_of_another_application_are_told_to_others(session, commons):
    other = listen(session, "content", "transfer.posted")
    origin = make_origin(application="content")
    fund(session, make_owner(), origin=origin)

    assert (types(session, commons), types(session, other)) == (
        [],
        ["transfer.posted"],
    )


def test_a_batch_asks_once_whether_anybody_listens(session):
    """What it is told when it begins counts for all of it."""
    session.execute(
        sa.update(Endpoint).values(disabled_at=NOW, disabled_because="gone")
    )
    application = make_application()

    def batch():
        lane = make_lane()
        jobs.hold_lane(session, queue="ledger", lane=lane)
        (job,) = submit(session, application, lane=lane)
        return jobs.finish(session, [Outcome(job.id, result={})], began=NOW, now=NOW)

    alone = batch(), heard(session)
    endpoint = listen(session, application)

    assert alone == (False, False)
    assert (batch(), heard(session)) == (True, True)
    assert types(session, endpoint) == ["job.succeeded"]


def test_where_nobody_listens_nothing_is_asked_of_the_statements(session, monkeypatch):
    session.execute(
        sa.update(Endpoint).values(disabled_at=NOW, disabled_because="gone")
    )
    for module, name in ((claims, "_FINISH_HEARD"), (books, "_INSERT_HEARD")):
        monkeypatch.setattr(module, name, None)
    lane = make_lane()
    jobs.hold_lane(session, queue="ledger", lane=lane)
    (job,) = submit(session, "commons", lane=lane)
    fund(session, make_owner(), origin=make_origin(job_id=job.id))
    finish(session, job)


def test_what_is_rolled_back_is_told_to_nobody(session, commons):
    with session.begin_nested() as attempt:
        fund(session, make_owner())
        (job,) = submit(session, "commons", lane=make_lane())
        finish(session, job)
        attempt.rollback()

    assert told(session, commons) == []
