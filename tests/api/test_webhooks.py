"""Webhooks over HTTP: an application's own, their secrets shown once."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from api.app import create_app
from domain import webhooks
from domain.keys import SCOPES
from domain.settings import Settings
from domain.webhooks import ENDPOINTS_MAX, EVENTS, OVERLAP
from tests.api.calling import Caller, pointers
from tests.api.webhooks import URL, WEBHOOKS, change, make

pytestmark = pytest.mark.usefixtures("few_webhooks")

DAY = timedelta(days=1)


@pytest.fixture
def path(caller):
    """The path of an endpoint of `commons`."""
    return make(caller).headers["Location"]


def ids(answer):
    return [webhook["id"] for webhook in answer.json["webhooks"]]


def audited(caller, action):
    answer = caller.get("/api/audit/events", params={"action": action})
    return answer.json["events"]


# An endpoint


def test_an_endpoint_made_is_shown_as_it_is(caller):
    made = make(caller, description="books", events=["job.refused", "job.failed"])
    shown = caller.get(made.headers["Location"])

    assert made.status_code == 201
    assert made.headers["Location"] == f"{WEBHOOKS}/{made.json['id']}"
    assert {*made.json} - {*shown.json} == {"secret"}
    assert shown.json.items() <= made.json.items()
    assert shown.json["application"] == "commons"
    assert (shown.json["url"], shown.json["description"]) == (URL, "books")
    assert shown.json["events"] == ["job.failed", "job.refused"]
    assert (shown.json["enabled"], shown.json["disabled_because"]) == (True, None)


def test_a_secret_is_shown_once_and_kept_by_nobody_on_the_way(caller, api_sessions):
    made = make(caller)
    secret = made.json["secret"]
    path = made.headers["Location"]
    others = [
        caller.get(WEBHOOKS),
        caller.get(path),
        change(caller, path, {"description": "x"}),
        caller.post(f"{path}/ping", b""),
        caller.get(f"{path}/deliveries"),
        caller.get("/api/audit/events"),
    ]

    assert secret.startswith("whsec_")
    assert made.headers["Cache-Control"] == "no-store"
    assert all(secret.removeprefix("whsec_") not in other.text for other in others)
    with api_sessions() as session:
        (row,) = session.execute(
            sa.text("SELECT e::text FROM webhook_endpoints e WHERE id = :id"),
            {"id": made.json["id"]},
        ).one()
    assert secret.removeprefix("whsec_") not in row


def test_a_new_secret_is_another_and_the_old_one_counts_for_a_while(
    caller, api_sessions
):
    made = make(caller)
    path = made.headers["Location"]
    before = datetime.now(UTC)
    rotated = caller.post(f"{path}/secret", b"")

    assert rotated.status_code == 201
    assert rotated.headers["Cache-Control"] == "no-store"
    assert rotated.json["secret"] != made.json["secret"]
    until = datetime.fromisoformat(caller.get(path).json["old_secret_until"])
    assert before + OVERLAP <= until <= datetime.now(UTC) + OVERLAP
    caller.post(f"{path}/ping", b"")
    with api_sessions.begin() as session:
        (chosen,) = webhooks.choose(session, count=9, now=datetime.now(UTC))
    assert chosen.secrets(secret="", now=datetime.now(UTC)) == [
        rotated.json["secret"],
        made.json["secret"],
    ]


def test_the_secret_depends_on_one_that_is_not_in_the_database(api_database, caller):
    other = Caller(
        create_app(Settings(database_url=api_database, token_secret="ours")), caller.key
    )
    made = make(other)

    with_it, without_it = (
        webhooks.secret_of(salt_of(api_database, made.json["id"]), secret=secret)
        for secret in ("ours", "")
    )
    assert made.json["secret"] == with_it != without_it


def salt_of(database, webhook_id):
    engine = sa.create_engine(
        database.replace("postgresql://", "postgresql+psycopg2://")
    )
    with engine.connect() as connection:
        salt = sa.text("SELECT salt FROM webhook_endpoints WHERE id = :id")
        found = bytes(connection.scalar(salt, {"id": webhook_id}))
    engine.dispose()
    return found


def test_endpoints_are_listed_newest_first_in_pages(caller):
    made = [make(caller).json["id"] for _ in range(3)]
    first = caller.get(WEBHOOKS, params={"limit": 2})
    second = caller.get(first.json["next"])

    assert ids(first) + ids(second) == made[::-1]
    assert second.json["next"] is None


def test_an_endpoint_is_changed(caller, path):
    body = {
        "url": "https://other.example/",
        "events": list(EVENTS),
        "description": "new",
    }
    changed = change(caller, path, body)

    assert changed.status_code == 200
    assert changed.json == caller.get(path).json
    assert changed.json.items() >= {**body, "events": sorted(EVENTS)}.items()


def test_an_endpoint_is_disabled_and_enabled(caller, path):
    off = change(caller, path, {"enabled": False}).json
    on = change(caller, path, {"enabled": True}).json

    assert (off["enabled"], off["disabled_because"]) == (False, "asked")
    assert (on["enabled"], on["disabled_at"], on["disabled_because"]) == (
        True,
        None,
        None,
    )


def test_an_edit_says_what_it_edits(caller, path):
    """RFC 6585 §3, RFC 9110 §13.1.1."""
    edits = [{}, {"If-Match": '"other"'}, {"If-Match": "*"}]
    answers = [
        caller.send("PATCH", path, json={"description": "new"}, headers=edit)
        for edit in edits
    ]

    assert [answer.status_code for answer in answers] == [428, 412, 200]


def test_an_endpoint_removed_is_gone(caller, path):
    assert caller.delete(path).status_code == 204

    for answer in (
        caller.get(path),
        caller.delete(path),
        caller.get(f"{path}/deliveries"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "no_such_webhook")
    assert ids(caller.get(WEBHOOKS)) == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"url": ""}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": "https://example.org/" + "a" * 2_000}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["job.started"]}, "/events/0"),
        ({"events": "job.failed"}, "/events"),
        ({"description": "x" * 201}, "/description"),
        ({"description": "a\nb"}, "/description"),
        ({"secret": "whsec_mine"}, "/secret"),
        ({"salt": "x"}, "/salt"),
        ({"enabled": False}, "/enabled"),
        ({"failing_since": None}, "/failing_since"),
    ],
    ids=repr,
)
def test_an_endpoint_that_cannot_be_is_422_and_says_why(caller, fields, pointer):
    answer = make(caller, **fields)

    assert answer.status_code == 422
    assert pointer in pointers(answer)
    assert ids(caller.get(WEBHOOKS)) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://user:password@example.org/",
        "https://example.org:6379/",
        "ftp://example.org/",
    ],
)
def test_a_webhook_goes_nowhere_it_should_not(caller, path, url):
    answers = [make(caller, url=url), change(caller, path, {"url": url})]

    for answer in answers:
        assert (answer.status_code, answer.json["code"]) == (422, "webhook_url_refused")


def test_in_development_it_may_go_to_this_host(api_database, caller):
    app = create_app(Settings(database_url=api_database, webhook_loopback="on"))
    developer = Caller(app, caller.key)

    assert make(developer, url="http://127.0.0.1:9000/").status_code == 201
    assert make(developer, url="http://10.0.0.1/").status_code == 422


def test_an_application_has_so_many_at_most(caller):
    answers = [make(caller) for _ in range(ENDPOINTS_MAX + 1)]

    assert {answer.status_code for answer in answers[:-1]} == {201}
    assert (answers[-1].status_code, answers[-1].json["code"]) == (
        409,
        "too_many_webhooks",
    )


def test_what_is_done_is_an_audit_event(caller, path):
    change(
        caller, path, {"enabled": True, "url": "https://x.example/token-in-the-path"}
    )
    caller.post(f"{path}/secret", b"")
    caller.post(f"{path}/ping", b"")
    caller.post(f"{path}/replay", {"since": "2026-01-01T00:00:00Z"})
    caller.delete(path)
    subject = f"webhook:{path.rpartition('/')[2]}"
    events = caller.get("/api/audit/events", params={"subject": subject})

    assert [event["action"] for event in events.json["events"]] == [
        "webhook.removed",
        "webhook.replayed",
        "webhook.pinged",
        "webhook.secret_rotated",
        "webhook.changed",
        "webhook.created",
    ]
    assert "token-in-the-path" not in events.text


# Whose it is


def requests(path):
    """Every request there is about an endpoint, and its log."""
    delivery = f"{path}/deliveries/{uuid4()}"
    since = {"since": "2026-01-01T00:00:00Z"}
    edit = {"json": {"description": "x"}, "headers": {"If-Match": "*"}}
    return [
        ("GET", path, {}),
        ("PATCH", path, edit),
        ("DELETE", path, {}),
        ("POST", f"{path}/secret", {}),
        ("POST", f"{path}/ping", {}),
        ("POST", f"{path}/replay", {"json": since}),
        ("GET", f"{path}/deliveries", {}),
        ("GET", delivery, {}),
        ("POST", f"{delivery}/replay", {}),
    ]


def test_another_applications_endpoint_is_not_there(new_caller, caller, path):
    stranger = new_caller(application="content")
    before = caller.get(path).json

    for method, target, options in requests(path):
        answer = stranger.send(method, target, **options)
        assert (answer.status_code, answer.json["code"]) == (404, "no_such_webhook")
    assert ids(stranger.get(WEBHOOKS)) == []
    assert caller.get(path).json == before


def test_a_delivery_is_not_found_by_way_of_another_endpoint(caller, path):
    other = make(caller).headers["Location"]
    delivery = caller.post(f"{path}/ping", b"").json["id"]

    for method, target in (
        ("GET", f"{other}/deliveries/{delivery}"),
        ("POST", f"{other}/deliveries/{delivery}/replay"),
    ):
        answer = caller.send(method, target)
        assert (answer.status_code, answer.json["code"]) == (404, "no_such_delivery")


def test_a_key_manages_its_own_applications_alone(caller):
    answer = make(caller, application="content")

    assert (answer.status_code, answer.json["code"]) == (403, "wrong_application")
    listed = caller.get(WEBHOOKS, params={"application": "content"})
    assert listed.status_code == 403


def test_an_admin_manages_every_applications(new_person, new_caller, path):
    admin = new_person("admin")
    theirs = make(new_caller(application="content")).json["id"]
    made = make(admin, application="content")

    assert (made.status_code, made.json["application"]) == (201, "content")
    assert admin.get(path).status_code == 200
    listed = admin.get(WEBHOOKS, params={"application": "content"})
    assert ids(listed) == [made.json["id"], theirs]


def test_who_has_not_the_scope_does_nothing(new_caller, person, stranger, path):
    without = new_caller(*(set(SCOPES) - {"webhooks:manage"}))
    about = [("GET", WEBHOOKS, {}), ("POST", WEBHOOKS, {}), *requests(path)]

    for method, target, options in about:
        answer = without.send(method, target, **options)
        assert (answer.status_code, answer.json["scope"]) == (403, "webhooks:manage")
        assert person.send(method, target, **options).status_code == 403
        assert stranger.send(method, target, **options).status_code == 401
