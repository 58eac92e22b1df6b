from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from domain import audit_events, signing_keys
from domain.signing_keys import (
    OUTLIVED_BY,
    PUBLISHED_AHEAD,
    ROTATED_EVERY,
    SigningKey,
)
from tests import databases
from tests.factories import NOW

SECOND = timedelta(seconds=1)
SECRET = "of these tests"


@pytest.fixture
def keys(engine):
    """Sessions on a table without keys."""
    with databases.rolled_back(engine) as session:
        session.execute(sa.delete(SigningKey))
        yield session


def standing(session, now, secret=SECRET):
    return list(signing_keys.standing(session, secret=secret, now=now))


def rotate(session, now, **options):
    return signing_keys.rotate(session, secret=SECRET, now=now, **options)


def signing(session, now):
    return signing_keys.signing(standing(session, now), now=now)


def test_the_first_use_makes_a_key_that_signs_at_once(keys):
    (first,) = standing(keys, NOW)

    assert signing(keys, NOW) is first
    assert standing(keys, NOW + ROTATED_EVERY) == [first]


def test_a_key_is_known_before_it_signs_and_after(keys):
    first, second = signing(keys, NOW), rotate(keys, NOW)
    begins = NOW + PUBLISHED_AHEAD

    assert signing(keys, begins - SECOND) is first
    assert signing(keys, begins) is second
    assert standing(keys, begins) == [first, second]
    assert standing(keys, begins + OUTLIVED_BY - SECOND) == [first, second]
    assert standing(keys, begins + OUTLIVED_BY) == [second]


def test_a_key_that_verifies_nothing_more_is_deleted(keys):
    standing(keys, NOW)
    rotate(keys, NOW)
    rotate(keys, NOW + PUBLISHED_AHEAD + OUTLIVED_BY)
    count = keys.scalar(sa.select(sa.func.count()).select_from(SigningKey))

    assert count == 2


def test_a_key_that_leaked_goes_at_once(keys):
    standing(keys, NOW)
    new = rotate(keys, NOW, at_once=True)

    assert standing(keys, NOW) == [new]
    assert signing(keys, NOW) is new


def test_it_is_rotated_when_it_is_time(keys):
    def due(now):
        return signing_keys.rotate_if_due(keys, secret=SECRET, now=now)

    assert due(NOW)
    assert not due(NOW + ROTATED_EVERY - SECOND)
    assert due(NOW + ROTATED_EVERY)
    assert not due(NOW + ROTATED_EVERY)


def test_another_secret_has_keys_of_its_own_and_leaves_these(keys):
    (ours,) = standing(keys, NOW)
    (theirs,) = standing(keys, NOW, secret="another")

    assert ours.id != theirs.id
    assert standing(keys, NOW) == [ours]
    assert ours.derive("access", secret="another") != ours.derive(
        "access", secret=SECRET
    )


def test_a_purpose_has_a_key_of_its_own(keys):
    (key,) = standing(keys, NOW)
    derived = {key.derive(purpose, secret=SECRET) for purpose in ("a", "b", "proof")}

    assert len(derived) == 3
    assert {len(made) for made in derived} == {32}


@given(st.lists(st.integers(0, 7_200), max_size=6))
def test_what_is_signed_can_be_verified_for_an_hour(engine, waits):
    """However rotations fall: the signer of any moment stands for the hour after it."""
    with databases.rolled_back(engine) as session:
        session.execute(sa.delete(SigningKey))
        now, signed = NOW, []
        for wait in waits:
            signed.append((now, signing(session, now).id))
            rotate(session, now)
            now += wait * SECOND
            names = {key.id for key in standing(session, now)}
            assert {name for at, name in signed if now - at < OUTLIVED_BY} <= names


def test_a_key_is_recorded_when_it_is_made(keys):
    standing(keys, NOW)
    rotate(keys, NOW, at_once=True)
    found = audit_events.page(keys, action="signing_key.created", limit=2).items
    second, first = (row.AuditEvent for row in found)

    assert first.subject != second.subject
    assert (second.actor, second.application) == (None, None)
    assert [event.details["at_once"] for event in (first, second)] == [False, True]
    assert standing(keys, NOW)[-1].salt.hex() not in str(second.describe())


def test_the_keys_that_stand_are_published_and_no_others(keys):
    (old,) = standing(keys, NOW, secret="another")
    (ours,) = standing(keys, NOW)
    signing_keys.publish(keys, {old.id: b"old"})
    signing_keys.publish(keys, {ours.id: b"ours"})
    found = keys.execute(sa.select(SigningKey.id, SigningKey.public_key)).all()

    assert dict(map(tuple, found)) == {old.id: None, ours.id: b"ours"}
