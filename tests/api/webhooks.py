"""What tests of webhooks over HTTP share: how one is made, changed, and told."""

from datetime import UTC, datetime

from domain import webhooks

WEBHOOKS = "/api/webhooks"
URL = "https://hooks.example/in"


def make(caller, **fields):
    return caller.post(WEBHOOKS, {"url": URL, "events": ["job.failed"], **fields})


def change(caller, path, body, **headers):
    tag = {"If-Match": caller.get(path).headers["ETag"]}
    return caller.send("PATCH", path, json=body, headers={**tag, **headers})


class Listener:
    """An endpoint of people's applications, and what it is to be told."""

    def __init__(self, sessions, events):
        self._sessions = sessions
        with sessions.begin() as session:
            self._endpoint = webhooks.create(
                session,
                application="commons",
                url="https://example.org/",
                events=events,
                description="",
                now=datetime.now(UTC),
            )

    def told(self):
        """Return the types and data of what waits, first things first."""
        with self._sessions() as session:
            found = webhooks.page_deliveries(
                session, self._endpoint, state=None, start=None, limit=50
            )
            rows = [row.Delivery for row in found.items]
        return [(row.type, row.data) for row in reversed(rows)]
