"""Deliveries: fairly chosen, ever later tried again, given up at last."""

from datetime import timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from domain import webhooks
from domain.audit_events import AuditEvent
from domain.webhooks import FAILING_MAX, OVERLAP, RETRY_AFTER_MAX, SCHEDULE, Attempt
from domain.webhooks.sending import APPLICATION_MAX, EACH_MAX, LEASE
from tests.factories import NOW, make_owner

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def test_what_is_due_is_chosen_once(endpoints):
    endpoint = endpoints.make()
    (delivery_id,) = endpoints.ping(endpoint)

    (chosen,) = endpoints.choose()

    assert (chosen.id, chosen.endpoint_id) == (delivery_id, endpoint.id)
    assert (chosen.attempts, chosen.tries, chosen.url) == (1, 1, endpoint.url)
    assert endpoints.choose() == []


def test_what_is_not_due_waits(endpoints):
    endpoints.ping(endpoints.make(), now=NOW + SECOND)

    assert not webhooks.due(endpoints.session, now=NOW)
    assert endpoints.choose() == []
    assert webhooks.due(endpoints.session, now=NOW + SECOND)
    assert len(endpoints.choose(NOW + SECOND)) == 1


def test_what_a_dead_worker_had_is_due_again_and_its_answer_counts_no_more(endpoints):
    (delivery_id,) = endpoints.ping(endpoints.make())
    (lost,) = endpoints.choose()
    assert endpoints.choose(NOW + LEASE - SECOND) == []

    (again,) = endpoints.choose(NOW + LEASE)
    endpoints.record(Attempt(lost, NOW, 1, 410))

    assert (again.id, again.attempts) == (delivery_id, 2)
    assert endpoints.find(delivery_id).state == "sending"
    endpoints.record(Attempt(again, NOW, 1, 204))
    assert endpoints.find(delivery_id).state == "delivered"


def test_one_endpoint_does_not_take_all_the_room(endpoints):
    slow, quick = endpoints.make(), endpoints.make()
    endpoints.ping(slow, 50, now=NOW - DAY)
    endpoints.ping(quick, 3)

    assert endpoints.chosen() == {slow.id: EACH_MAX, quick.id: 3}
    assert endpoints.chosen() == {}


def test_one_application_does_not_take_all_the_room(endpoints):
    application = make_owner("application")
    slow = [endpoints.make(application) for _ in range(5)]
    quick = endpoints.make()
    for endpoint in slow:
        endpoints.ping(endpoint, 50, now=NOW - DAY)
    endpoints.ping(quick, 3)

    chosen = endpoints.chosen()
    assert chosen.pop(quick.id) == 3
    assert sum(chosen.values()) == APPLICATION_MAX


def test_where_there_is_little_room_applications_take_turns(endpoints):
    many, few = endpoints.make(), endpoints.make()
    endpoints.ping(many, 50, now=NOW - DAY)
    endpoints.ping(few, 2)

    assert endpoints.chosen(count=4) == {many.id: 2, few.id: 2}


def test_a_disabled_endpoint_is_sent_nothing_until_it_is_enabled(endpoints):
    endpoint = endpoints.make()
    endpoints.ping(endpoint)
    webhooks.switch(endpoint, enabled=False, now=NOW)
    endpoints.session.flush()
    assert not webhooks.due(endpoints.session, now=NOW)
    assert endpoints.choose() == []

    webhooks.switch(endpoint, enabled=True, now=NOW)
    endpoints.session.flush()
    assert len(endpoints.choose()) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_two_hundred_and_more_is_success(endpoints, status):
    (delivery_id,) = endpoints.ping(endpoints.make())
    endpoints.attempt(NOW, status)

    delivery = endpoints.find(delivery_id)
    assert (delivery.state, delivery.due_at) == ("delivered", None)


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 307, 400, 404, 429, 503])
def test_anything_else_is_not(endpoints, status):
    (delivery_id,) = endpoints.ping(endpoints.make())
    endpoints.attempt(NOW, status)

    assert endpoints.find(delivery_id).state == "waiting"


@pytest.mark.usefixtures("longest")
def test_each_try_that_fails_makes_the_next_later_until_there_is_none(endpoints):
    (delivery_id,) = endpoints.ping(endpoints.make())
    times = [NOW]
    for _ in SCHEDULE:
        assert endpoints.attempt(times[-1]) == 1
        assert endpoints.choose(endpoints.due_at(delivery_id) - SECOND) == []
        times.append(endpoints.due_at(delivery_id))
    endpoints.attempt(times[-1])

    assert [late - early for early, late in pairwise(times)] == list(SCHEDULE)
    delivery = endpoints.find(delivery_id)
    assert (delivery.state, delivery.attempts) == ("failed", len(SCHEDULE) + 1)


def test_what_failed_together_is_not_tried_together_again(endpoints):
    endpoint = endpoints.make()
    ids = endpoints.ping(endpoint, EACH_MAX)
    endpoints.attempt(NOW)

    waits = {endpoints.due_at(one) - NOW for one in ids}
    assert len(waits) == EACH_MAX
    assert all(timedelta(0) <= wait <= SCHEDULE[0] for wait in waits)


@pytest.mark.usefixtures("longest")
@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (timedelta(0), SCHEDULE[0]),
        (SECOND, SCHEDULE[0]),
        (-DAY, SCHEDULE[0]),
        (timedelta(hours=1), timedelta(hours=1)),
        (timedelta(days=900), RETRY_AFTER_MAX),
    ],
)
def test_a_receiver_may_ask_for_more_time_within_bounds(endpoints, asked, given):
    (delivery_id,) = endpoints.ping(endpoints.make())
    endpoints.attempt(NOW, 429, retry_after=asked)

    assert endpoints.due_at(delivery_id) == NOW + given


def disablings(session, endpoint):
    subject = AuditEvent.subject == f"webhook:{endpoint.id}"
    return [
        event.details for event in session.scalars(sa.select(AuditEvent).where(subject))
    ]


def test_whoever_is_gone_is_told_no_more(endpoints):
    endpoint = endpoints.make()
    (delivery_id,) = endpoints.ping(endpoint)
    endpoints.attempt(NOW, 410)

    assert endpoints.find(delivery_id).state == "failed"
    assert (endpoint.disabled_at, endpoint.disabled_because) == (NOW, "gone")
    assert disablings(endpoints.session, endpoint) == [{"because": "gone"}]


def test_whoever_takes_nothing_for_days_is_told_no_more(endpoints):
    endpoint = endpoints.make()
    endpoints.ping(endpoint, 2)
    endpoints.attempt(NOW, None, error="TimeoutError")
    assert endpoint.failing_since == NOW
    endpoints.attempt(NOW + FAILING_MAX, 500)
    assert endpoint.disabled_at is None

    endpoints.ping(endpoint)
    endpoints.attempt(NOW + FAILING_MAX + SECOND, 500)

    assert endpoint.disabled_because == "failing"
    assert disablings(endpoints.session, endpoint) == [{"because": "failing"}]


def test_one_success_and_the_days_are_counted_anew(endpoints):
    endpoint = endpoints.make()
    for now, status in ((NOW, 500), (NOW + DAY, 204), (NOW + FAILING_MAX + DAY, 500)):
        endpoints.ping(endpoint, now=now)
        endpoints.attempt(now, status)

    assert endpoint.disabled_at is None
    assert endpoint.failing_since == NOW + FAILING_MAX + DAY


def test_whoever_falls_far_behind_is_told_no_more(endpoints, monkeypatch):
    monkeypatch.setattr("domain.webhooks.sending.WAITING_MAX", 3)
    behind, level = endpoints.make(), endpoints.make()
    endpoints.ping(behind, 4)
    endpoints.ping(level, 4)
    chosen = endpoints.choose()
    endpoints.record(
        *(Attempt(one, NOW, 1, 204) for one in chosen if one.endpoint_id == level.id)
    )

    assert webhooks.give_up_behind(endpoints.session, now=NOW) == 1
    assert (behind.disabled_because, level.disabled_at) == ("behind", None)
    assert disablings(endpoints.session, behind) == [{"because": "behind"}]
    assert webhooks.give_up_behind(endpoints.session, now=NOW) == 0


def test_every_attempt_is_kept_as_it_went(endpoints):
    (delivery_id,) = endpoints.ping(endpoints.make())
    later = NOW + SCHEDULE[0]
    endpoints.attempt(NOW, None, error="TimeoutError: no answer")
    endpoints.attempt(later, 200, body="ok, \u00fc")

    log = webhooks.attempts_of(endpoints.session, endpoints.find(delivery_id))
    assert [attempt.describe() for attempt in log] == [
        {
            "number": 1,
            "at": NOW.isoformat(),
            "ms": 7,
            "status": None,
            "error": "TimeoutError: no answer",
            "body": None,
        },
        {
            "number": 2,
            "at": later.isoformat(),
            "ms": 7,
            "status": 200,
            "error": None,
            "body": "ok, \u00fc",
        },
    ]


def test_what_is_sent_is_the_same_at_every_attempt(endpoints):
    endpoints.ping(endpoints.make())
    (first,) = endpoints.choose()
    (second,) = endpoints.choose(NOW + LEASE)

    assert (first.id, first.body()) == (second.id, second.body())


def test_a_secret_that_was_replaced_signs_for_a_while_beside_the_new_one(endpoints):
    endpoint = endpoints.make()
    old = webhooks.secret_of(endpoint.salt, secret="ours")
    webhooks.rotate(endpoint, now=NOW)
    endpoints.session.flush()
    new = webhooks.secret_of(endpoint.salt, secret="ours")
    endpoints.ping(endpoint)
    (chosen,) = endpoints.choose()

    def secrets(now):
        return chosen.secrets(secret="ours", now=now)

    assert old != new
    assert old.startswith("whsec_")
    assert secrets(NOW) == secrets(NOW + OVERLAP - SECOND) == [new, old]
    assert secrets(NOW + OVERLAP) == [new]


def test_the_database_alone_does_not_say_the_secret(endpoints):
    salt = endpoints.make().salt

    assert webhooks.secret_of(salt, secret="a") != webhooks.secret_of(salt, secret="b")
