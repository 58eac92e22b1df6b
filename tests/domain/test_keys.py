import string
from datetime import timedelta
from hashlib import sha256

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from domain import keys
from domain.key_texts import well_formed
from domain.keys import NoSuchKey, Principal, UnknownApplication, UnknownScope
from tests.factories import NOW, make_key

ALPHABET = string.digits + string.ascii_letters
SECOND = timedelta(seconds=1)


def authenticate(session, text, *, now=NOW):
    return keys.authenticate(session, text, now=now)


def test_a_key_says_who_asks_and_what_they_may_do(session):
    key, text = make_key(session, scopes=["ledger:spend", "ledger:read"])

    assert authenticate(session, text) == Principal(
        key.principal, "commons", frozenset({"ledger:read", "ledger:spend"})
    )


def test_two_keys_are_two_principals(session):
    one, text = make_key(session)
    other, other_text = make_key(session)

    assert one.principal != other.principal
    assert text != other_text


def test_only_a_digest_of_a_key_is_stored(session):
    key, text = make_key(session)
    stored = session.execute(
        sa.text("SELECT api_keys::text FROM api_keys WHERE id = :id"), {"id": key.id}
    ).scalar_one()

    assert key.digest == sha256(text.encode()).digest()
    assert text.removeprefix(f"pc_{key.id}_") not in stored


def test_a_key_opens_until_it_expires_and_no_longer(session):
    _, text = make_key(session, expires_at=NOW)

    assert authenticate(session, text, now=NOW - SECOND)
    assert authenticate(session, text, now=NOW) is None


def test_a_key_opens_nothing_once_revoked(session):
    key, text = make_key(session)
    keys.revoke(session, key.id, now=NOW)

    assert authenticate(session, text) is None


def test_revoking_again_keeps_the_first_time(session):
    key, _ = make_key(session)
    keys.revoke(session, key.id, now=NOW)
    keys.revoke(session, key.id, now=NOW + SECOND)

    assert key.revoked_at == NOW


def test_revoking_an_unknown_key_says_so(session):
    with pytest.raises(NoSuchKey, match="'nothing'"):
        keys.revoke(session, "nothing", now=NOW)


def test_a_new_key_for_an_old_one_keeps_its_principal(session):
    old, old_text = make_key(session)
    new, new_text = make_key(session, replaces=old.id)

    assert new.principal == old.principal
    assert authenticate(session, old_text) == authenticate(session, new_text)


def test_a_key_cannot_replace_one_that_never_was(session):
    with pytest.raises(NoSuchKey):
        make_key(session, replaces="nothing")


def test_a_key_cannot_take_over_from_another_application(session):
    old, _ = make_key(session, application="content")

    with pytest.raises(NoSuchKey):
        make_key(session, application="commons", replaces=old.id)


def test_unknown_scopes_are_refused_by_name(session):
    with pytest.raises(UnknownScope, match=r"a:b, ledger:everything\."):
        make_key(session, scopes=["ledger:read", "ledger:everything", "a:b"])


def test_an_unknown_application_is_refused_by_name(session):
    with pytest.raises(UnknownApplication, match="'games'"):
        make_key(session, application="games")


def test_last_use_is_noted_to_the_minute(session):
    key, text = make_key(session)
    authenticate(session, text, now=NOW)
    authenticate(session, text, now=NOW + timedelta(seconds=59))
    first = key.last_used_at
    authenticate(session, text, now=NOW + timedelta(seconds=61))

    assert first == NOW
    assert key.last_used_at == NOW + timedelta(seconds=61)


def test_a_refused_key_is_not_noted_as_used(session):
    key, text = make_key(session, expires_at=NOW)
    authenticate(session, text, now=NOW)

    assert key.last_used_at is None


def test_keys_are_listed_oldest_first(session):
    newer, _ = make_key(session, now=NOW + SECOND)
    older, _ = make_key(session, now=NOW)
    ids = [key.id for key in keys.list_keys(session)]

    assert ids.index(older.id) < ids.index(newer.id)


def test_every_slip_of_one_character_is_noticed_without_a_look_up(session):
    _, text = make_key(session)
    slips = {
        text[:place] + other + text[place + 1 :]
        for place, was in enumerate(text)
        for other in ALPHABET
        if other != was
    }

    assert well_formed(text)
    assert not any(well_formed(slip) for slip in slips)


def test_every_pair_of_characters_swapped_is_noticed(session):
    _, text = make_key(session)
    swapped = {
        text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        for place in range(len(text) - 1)
    } - {text}

    assert not any(well_formed(slip) for slip in swapped)


@given(st.text() | st.from_regex(r"pc_[0-9A-Za-z]{12}_[0-9A-Za-z]{46}"))
def test_whatever_is_not_a_key_opens_nothing(session, text):
    assert authenticate(session, text) is None


def test_the_secret_of_one_key_does_not_open_another(session):
    one, text = make_key(session)
    other, _ = make_key(session)

    assert authenticate(session, text.replace(one.id, other.id)) is None


@pytest.mark.parametrize("around", ["{}\n", " {}", "{}\0", "{} "])
def test_a_key_is_the_whole_text(session, around):
    _, text = make_key(session)

    assert not well_formed(around.format(text))
    assert authenticate(session, around.format(text)) is None
