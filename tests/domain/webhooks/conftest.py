from collections import Counter

import pytest
import sqlalchemy as sa

from domain import webhooks
from domain.webhooks import Attempt
from domain.webhooks.record import Delivery
from tests.factories import NOW, make_owner


class Endpoints:
    """Endpoints of applications no other test has, and what is sent to them."""

    def __init__(self, session):
        self.session = session

    def make(self, application=None, **fields):
        given = {"url": "https://example.org/", "events": ["job.failed"], "now": NOW}
        return webhooks.create(
            self.session,
            application=application or make_owner("application"),
            **{**given, **fields},
        )

    def ping(self, endpoint, times=1, now=NOW):
        """Have an endpoint sent something, so many times."""
        return [
            webhooks.ping(self.session, endpoint, request_id="r", trace="t", now=now).id
            for _ in range(times)
        ]

    def choose(self, now=NOW, count=100):
        return webhooks.choose(self.session, count=count, now=now)

    def chosen(self, **options):
        """Return how many of each endpoint are sent now."""
        return Counter(one.endpoint_id for one in self.choose(**options))

    def record(self, *attempts, now=NOW):
        webhooks.record(self.session, attempts, now=now)

    def attempt(self, now, status=500, **fields):
        """Send what is due to be answered in one way; return how many were."""
        chosen = self.choose(now)
        attempts = [Attempt(one, now, 7, status, **fields) for one in chosen]
        self.record(*attempts, now=now)
        return len(chosen)

    def find(self, delivery_id):
        return self.session.get(Delivery, delivery_id, populate_existing=True)

    def due_at(self, delivery_id):
        return self.find(delivery_id).due_at


@pytest.fixture
def endpoints(session):
    # Those of other tests, committed, are not to be chosen here.
    session.execute(sa.text("DELETE FROM webhook_deliveries"))
    return Endpoints(session)


@pytest.fixture
def longest(monkeypatch):
    """Every wait at random is as long as it can be."""
    monkeypatch.setattr(
        "domain.webhooks.sending.random.uniform", lambda _low, high: high
    )
