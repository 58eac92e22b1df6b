from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from domain import audit_events, keys
from domain.audit_events import AuditEvent
from domain.ids import uuid7
from domain.pages import Position
from tests.factories import NOW, make_key, make_owner

SECOND = timedelta(seconds=1)


def record(session, **fields):
    audit_events.record(
        session,
        **{
            "action": "test.done",
            "actor": None,
            "subject": make_owner("test"),
            "details": {},
            "request_id": None,
            "now": NOW,
            **fields,
        },
    )
    session.flush()


def found(session, **filters):
    page = audit_events.page(session, **{"limit": 50, **filters})
    return [row.AuditEvent for row in page.items]


def test_what_is_recorded_is_found_as_it_was(session):
    actor, subject = uuid4(), make_owner("test")
    record(session, actor=actor, subject=subject, details={"a": [1]}, request_id="r")

    (event,) = found(session, subject=subject)

    assert event.describe() == {
        "id": event.id,
        "at": NOW.isoformat(),
        "action": "test.done",
        "application": None,
        "actor": str(actor),
        "subject": subject,
        "details": {"a": [1]},
        "request_id": "r",
    }


def test_a_deed_undone_is_not_recorded(sessions):
    subject = make_owner("test")
    with sessions() as session:
        record(session, subject=subject)

    with sessions() as session:
        assert found(session, subject=subject) == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "cba"),
        ({"action": "test.first"}, "a"),
        ({"actor": "b"}, "b"),
        ({"application": "commons"}, "cb"),
        ({"since": NOW + SECOND}, "cb"),
        ({"until": NOW + SECOND}, "a"),
        ({"since": NOW + SECOND, "until": NOW + 2 * SECOND}, "b"),
    ],
    ids=repr,
)
def test_events_are_chosen_by_every_filter(session, filters, expected):
    subject = make_owner("test")
    actors = {name: uuid7() for name in "abc"}
    for number, (name, actor) in enumerate(actors.items()):
        record(
            session,
            action="test.first" if name == "a" else "test.other",
            application=None if name == "a" else "commons",
            actor=actor,
            subject=subject,
            now=NOW + number * SECOND,
        )
    if "actor" in filters:
        filters = {"actor": actors[filters["actor"]]}

    events = found(session, subject=subject, **filters)

    assert [event.actor for event in events] == [actors[name] for name in expected]


def test_events_are_paged_newest_first(session):
    subject = make_owner("test")
    for _ in range(3):
        record(session, subject=subject)

    first = audit_events.page(session, subject=subject, limit=2)
    rest = audit_events.page(
        session, subject=subject, start=Position(first.next.key), limit=2
    )

    ids = [row.AuditEvent.id for page in (first, rest) for row in page.items]
    assert len(ids) == 3
    assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    "broken",
    [
        {"action": "nodots"},
        {"action": "Key.created"},
        {"action": "key.created\n"},
        {"subject": "x" * 301},
        {"details": {"x": "y" * 4_096}},
        {"request_id": "x" * 129},
    ],
    ids=repr,
)
def test_what_is_no_event_is_refused_by_the_database(session, broken):
    with pytest.raises(IntegrityError), session.begin_nested():
        record(session, **broken)


def test_making_and_revoking_a_key_are_recorded_once_each(session):
    actor = uuid7()
    old, _ = make_key(session)
    key, text = make_key(
        session, application="commons", replaces=old.id, actor=actor, request_id="r"
    )
    for _ in range(2):
        keys.revoke(session, key.id, now=NOW, actor=actor)

    revoked, created = found(session, subject=f"key:{key.id}")

    assert (created.action, revoked.action) == ("key.created", "key.revoked")
    assert (created.actor, created.application) == (actor, "commons")
    assert created.details["replaces"] == old.id
    assert text not in str(created.describe())


def test_nobody_is_the_actor_of_the_operators_own_command(session):
    key, _ = make_key(session)

    (event,) = found(session, subject=f"key:{key.id}")

    assert event.actor is None
    assert session.scalar(sa.select(sa.func.count()).select_from(AuditEvent))
