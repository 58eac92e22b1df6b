import pytest

from domain import webhooks
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.deploy import registries
from tests.factories import NOW


@pytest.fixture(scope="package")
def told(new_database):
    """What each of our processes can tell, by Prometheus' name for them."""
    with new_database() as url:
        engine = create_engine(Settings(database_url=url))
        sessions = session_factory(engine)
        with sessions.begin() as session:
            endpoint = webhooks.create(
                session,
                application="commons",
                url="https://example.org/",
                events=["job.failed"],
                now=NOW,
            )
            webhooks.ping(session, endpoint, request_id=None, trace=None, now=NOW)
        yield {
            "api": registries.of_api(sessions),
            "workers": registries.of_workers(),
            "controller": registries.of_controller(),
        }
        engine.dispose()
