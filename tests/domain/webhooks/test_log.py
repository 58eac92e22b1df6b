"""What was sent is looked at, sent again, and forgotten when it is old."""

from datetime import timedelta

import pytest

from domain import webhooks
from domain.ids import uuid7
from domain.webhooks import (
    ENDPOINTS_MAX,
    REPLAYED_MAX,
    DeliveryUnderWay,
    NoSuchDelivery,
    NoSuchWebhook,
    TooManyWebhooks,
    WebhookDisabled,
    log,
)
from domain.webhooks.record import AttemptRow
from tests.factories import NOW, make_owner

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def failed(endpoints, endpoint, times=1, now=NOW):
    """Have deliveries fail for good, without disabling their endpoint."""
    ids = endpoints.ping(endpoint, times, now=now)
    endpoints.attempt(now, 410)
    webhooks.switch(endpoint, enabled=True, now=now)
    endpoints.session.flush()
    return ids


def test_what_failed_is_sent_again_with_every_try(endpoints):
    endpoint = endpoints.make()
    (delivery_id,) = failed(endpoints, endpoint)
    replayed = webhooks.replay(endpoints.session, endpoint, delivery_id, now=NOW + DAY)
    (chosen,) = endpoints.choose(NOW + DAY)

    assert (replayed.state, replayed.due_at) == ("waiting", NOW + DAY)
    assert (chosen.id, chosen.attempts, chosen.tries) == (delivery_id, 2, 1)


def test_what_was_delivered_is_sent_again_too(endpoints):
    endpoint = endpoints.make()
    (delivery_id,) = endpoints.ping(endpoint)
    endpoints.attempt(NOW, 204)
    webhooks.replay(endpoints.session, endpoint, delivery_id, now=NOW)

    assert [one.id for one in endpoints.choose()] == [delivery_id]


def test_what_is_under_way_is_not_sent_twice(endpoints):
    endpoint = endpoints.make()
    (delivery_id,) = endpoints.ping(endpoint)
    endpoints.choose()

    with pytest.raises(DeliveryUnderWay):
        webhooks.replay(endpoints.session, endpoint, delivery_id, now=NOW)


def test_a_delivery_is_found_by_its_own_endpoint_alone(endpoints):
    own, other = endpoints.make(), endpoints.make()
    (delivery_id,) = endpoints.ping(own)

    for endpoint, wanted in ((other, delivery_id), (own, uuid7())):
        with pytest.raises(NoSuchDelivery):
            webhooks.find_delivery(endpoints.session, endpoint, wanted)
        with pytest.raises(NoSuchDelivery):
            webhooks.replay(endpoints.session, endpoint, wanted, now=NOW)


def test_all_that_failed_since_a_time_is_sent_again(endpoints):
    endpoint, other = endpoints.make(), endpoints.make()
    failed(endpoints, endpoint, now=NOW - DAY)
    since = failed(endpoints, endpoint, 3)
    failed(endpoints, other)
    endpoints.ping(endpoint, now=NOW + DAY)

    count = webhooks.replay_failed(endpoints.session, endpoint, since=NOW, now=NOW)

    assert count == 3
    assert {one.id for one in endpoints.choose()} == set(since)


def test_so_many_are_sent_again_at_once_the_oldest_first(endpoints, monkeypatch):
    monkeypatch.setattr("domain.webhooks.log.REPLAYED_MAX", 2)
    endpoint = endpoints.make()
    ids = failed(endpoints, endpoint, 3)
    counts = []
    for _ in range(3):
        counts.append(
            webhooks.replay_failed(endpoints.session, endpoint, since=NOW, now=NOW)
        )
        if not counts[1:]:
            assert {one.id for one in endpoints.choose()} == set(ids[:2])

    assert counts == [2, 1, 0]
    assert REPLAYED_MAX >= 1_000


def test_a_disabled_endpoint_is_not_asked_to_listen(endpoints):
    endpoint = endpoints.make()
    (delivery_id,) = failed(endpoints, endpoint)
    webhooks.switch(endpoint, enabled=False, now=NOW)

    with pytest.raises(WebhookDisabled):
        webhooks.replay(endpoints.session, endpoint, delivery_id, now=NOW)
    with pytest.raises(WebhookDisabled):
        webhooks.replay_failed(endpoints.session, endpoint, since=NOW, now=NOW)
    with pytest.raises(WebhookDisabled):
        endpoints.ping(endpoint)


def test_a_list_goes_from_the_newest_to_the_oldest_in_pages(endpoints):
    endpoint = endpoints.make()
    ids = endpoints.ping(endpoint, 5)
    endpoints.ping(endpoints.make())
    found, start = [], None
    while page := webhooks.page_deliveries(
        endpoints.session, endpoint, start=start, limit=2
    ):
        found += [row.Delivery.id for row in page.items]
        start = page.next
        if start is None:
            break

    assert found == ids[::-1]


def test_a_list_may_be_of_one_state(endpoints):
    endpoint = endpoints.make()
    (delivery_id,) = failed(endpoints, endpoint)
    endpoints.ping(endpoint)
    page = webhooks.page_deliveries(
        endpoints.session, endpoint, state="failed", limit=9
    )

    assert [row.Delivery.id for row in page.items] == [delivery_id]


def test_what_is_old_is_forgotten_with_its_attempts(endpoints):
    endpoint = endpoints.make()
    (old,) = failed(endpoints, endpoint)
    (young,) = failed(endpoints, endpoint, now=NOW + SECOND)
    session = endpoints.session
    count = webhooks.forget(session, count=9, before=NOW + SECOND)
    session.expunge_all()

    assert count == 1
    assert endpoints.find(old) is None
    assert endpoints.find(young) is not None
    assert session.query(AttemptRow).filter_by(delivery_id=old).count() == 0


def test_no_more_is_forgotten_at_once_than_asked_for(endpoints):
    endpoints.ping(endpoints.make(), 3)

    def forget():
        return webhooks.forget(endpoints.session, count=2, before=NOW + DAY)

    assert [forget(), forget(), forget()] == [2, 1, 0]


def test_depths_are_counted_by_application_and_state(endpoints):
    endpoint = endpoints.make()
    failed(endpoints, endpoint, 2)
    endpoints.ping(endpoint)
    own = [
        (state, count)
        for application, state, count in webhooks.depths(endpoints.session)
        if application == endpoint.application
    ]

    assert sorted(own) == [("failed", 2), ("waiting", 1)]


def test_no_more_are_counted_of_an_endpoint_than_that(endpoints, monkeypatch):
    monkeypatch.setattr(log, "COUNTED_MAX", 2)
    one = endpoints.make()
    endpoints.ping(one, 3)
    endpoints.ping(endpoints.make(one.application), 1)

    assert (one.application, "waiting", 3) in webhooks.depths(endpoints.session)


def test_an_application_has_so_many_endpoints_at_most(endpoints):
    application = make_owner("application")
    made = [endpoints.make(application) for _ in range(ENDPOINTS_MAX)]
    with pytest.raises(TooManyWebhooks):
        endpoints.make(application)

    webhooks.remove(made[0], now=NOW)
    endpoints.make(application)


def test_an_endpoint_is_found_by_its_own_application_alone(endpoints):
    endpoint, session = endpoints.make(), endpoints.session

    assert webhooks.find(session, endpoint.id, application=None) is endpoint
    with pytest.raises(NoSuchWebhook):
        webhooks.find(session, endpoint.id, application="commons")
    webhooks.remove(endpoint, now=NOW)
    session.flush()
    with pytest.raises(NoSuchWebhook):
        webhooks.find(session, endpoint.id, application=endpoint.application)
