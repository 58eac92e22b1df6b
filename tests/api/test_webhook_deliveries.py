"""What endpoints were sent, over HTTP: looked at, sent again, counted."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from domain import webhooks
from domain.settings import Settings
from domain.webhooks.record import Delivery
from tests.api.calling import Caller, operation, pointers
from tests.api.webhooks import change, make
from tests.factories import make_owner
from tests.receiver import receiving
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("few_webhooks")

DAY = timedelta(days=1)


@pytest.fixture
def path(caller):
    """The path of an endpoint of `commons`."""
    return make(caller).headers["Location"]


def settle(sessions, delivery_id, *, state):
    with sessions.begin() as session:
        session.execute(
            sa.update(Delivery)
            .where(Delivery.id == delivery_id)
            .values(state=state, due_at=None)
        )


def test_a_ping_is_accepted_and_listed(caller, path):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    named = {"X-Request-ID": "r-7", "traceparent": trace}
    pinged = caller.post(f"{path}/ping", b"", headers=named)

    assert pinged.status_code == 202
    assert (pinged.json["type"], pinged.json["state"]) == ("webhook.ping", "waiting")
    assert pinged.json["request_id"] == "r-7"
    shown = caller.get(pinged.headers["Location"])
    assert shown.json == {**pinged.json, "log": []}
    assert caller.get(f"{path}/deliveries").json["deliveries"] == [pinged.json]


def test_deliveries_are_listed_newest_first_in_pages_of_one_state(
    caller, path, api_sessions
):
    made = [caller.post(f"{path}/ping", b"").json["id"] for _ in range(4)]
    settle(api_sessions, made[1], state="failed")
    first = caller.get(f"{path}/deliveries", params={"limit": 2, "state": "waiting"})
    second = caller.get(first.json["next"])

    listed = first.json["deliveries"] + second.json["deliveries"]
    assert [one["id"] for one in listed] == [made[3], made[2], made[0]]
    unknown = caller.get(f"{path}/deliveries", params={"state": "lost"})
    assert (unknown.status_code, pointers(unknown)) == (422, ["?state"])


def test_one_delivery_is_sent_again(caller, path, api_sessions):
    delivery = caller.post(f"{path}/ping", b"").json["id"]
    settle(api_sessions, delivery, state="failed")
    answer = caller.post(f"{path}/deliveries/{delivery}/replay", b"")

    assert (answer.status_code, answer.json["state"]) == (202, "waiting")
    assert answer.headers["Location"] == f"{path}/deliveries/{delivery}"


def test_what_is_under_way_is_not_sent_again(caller, path, api_sessions):
    delivery = caller.post(f"{path}/ping", b"").json["id"]
    with api_sessions.begin() as session:
        webhooks.choose(session, count=999, now=datetime.now(UTC))
    answer = caller.post(f"{path}/deliveries/{delivery}/replay", b"")

    assert (answer.status_code, answer.json["code"]) == (409, "delivery_under_way")


def test_all_that_failed_is_sent_again(caller, path, api_sessions):
    before = datetime.now(UTC)
    made = [caller.post(f"{path}/ping", b"").json["id"] for _ in range(3)]
    for delivery in made[:2]:
        settle(api_sessions, delivery, state="failed")

    def replay(since):
        return caller.post(f"{path}/replay", {"since": since.isoformat()})

    late, answer = replay(before + DAY), replay(before)
    assert late.json == {"replayed": 0}
    assert (answer.status_code, answer.json) == (202, {"replayed": 2})
    assert caller.post(f"{path}/replay", {"since": "yesterday"}).status_code == 422
    assert caller.post(f"{path}/replay", {}).status_code == 422


def test_a_disabled_endpoint_is_sent_nothing(caller, path):
    change(caller, path, {"enabled": False})

    answer = caller.post(f"{path}/ping", b"")
    assert (answer.status_code, answer.json["code"]) == (409, "webhook_disabled")


def test_what_is_to_be_sent_is_rung_for(caller, api_database, monkeypatch):
    rung = threading.Event()
    monkeypatch.setattr(
        "tasks.ring", lambda queue, lane: rung.set() or (queue, lane) == ("webhooks", 0)
    )
    other = Caller(create_app(Settings(database_url=api_database)), caller.key)
    path = make(other).headers["Location"]
    other.post(f"{path}/ping", b"")

    assert rung.wait(5)


def test_figures_say_what_was_not_delivered(caller, path, stranger):
    for _ in range(2):
        caller.post(f"{path}/ping", b"")
    lines = stranger.get("/metrics").text.splitlines(keepends=True)
    named = "".join(line for line in lines if "coin_webhook_deliveries" in line)
    (found,) = text_string_to_metric_families(named)

    labels = {"application": "commons", "state": "waiting"}
    assert [s.value for s in found.samples if s.labels == labels] == [2]


# From end to end, without a broker


def test_a_write_is_told_by_a_worker_that_polls(
    caller, api_database, working, monkeypatch
):
    monkeypatch.setenv("WEBHOOK_LOOPBACK", "on")
    app = create_app(Settings(database_url=api_database, webhook_loopback="on"))
    developer = Caller(app, caller.key)
    with receiving() as receiver, working(api_database):
        events = ["job.succeeded", "transfer.posted"]
        made = make(developer, url=receiver.url, events=events)
        written = developer.done(
            "/ledger", operation(make_owner()), headers={"X-Request-ID": "r-8"}
        )
        job = written.json["transfer"]["job_id"]

        def told():
            """Return what was told of this write; others' jobs may end meanwhile."""
            return [r for r in receiver.received if r.said["data"]["job_id"] == job]

        eventually(lambda: len(told()) == 2)
        log = f"{made.headers['Location']}/deliveries"
        eventually(
            lambda: (
                {one["state"] for one in developer.get(log).json["deliveries"]}
                == {"delivered"}
            )
        )

    said = {one.said["type"]: one.verify(made.json["secret"]) for one in told()}
    transfer = written.json["transfer"]
    assert said["transfer.posted"]["data"] == {
        "transfer_id": transfer["id"],
        "job_id": transfer["job_id"],
    }
    assert said["job.succeeded"]["data"]["job_id"] == transfer["job_id"]
    assert {one.headers["X-Request-ID"] for one in told()} == {"r-8"}
