import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from domain import people, users
from domain.ids import uuid7
from domain.users import (
    EmailTaken,
    InvalidEmail,
    InvalidUsername,
    NoSuchUser,
    UsernameTaken,
)
from tests.factories import NOW, make_user, make_username


def test_a_name_is_one_persons_whatever_its_case(session):
    user = make_user(session, username="Ada.Lovelace-" + make_username())

    with pytest.raises(UsernameTaken):
        make_user(session, username=user.username.upper())
    assert users.by_username(session, user.username.lower()).id == user.id


def test_the_database_itself_refuses_a_name_twice(session):
    user = make_user(session)
    row = sa.insert(users.User).values(
        id=uuid7(), username=user.username.upper(), created_at=NOW
    )

    with pytest.raises(IntegrityError, match="users_username"), session.begin_nested():
        session.execute(row)


def test_an_address_is_one_persons_whatever_its_case(session):
    user = make_user(session, email=f"{make_username()}@example.org")

    with pytest.raises(EmailTaken):
        make_user(session, email=user.email.upper())
    assert users.by_email(session, user.email.upper()).id == user.id


def test_any_number_have_no_address(session):
    assert make_user(session).id != make_user(session).id


@given(st.text(max_size=40))
def test_a_name_that_is_accepted_needs_no_quoting_anywhere(name):
    try:
        users.require_username(name)
    except (InvalidUsername, UsernameTaken):
        return

    assert name.isascii()
    assert 3 <= len(name) <= 32
    assert set(name.lower()) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")


@given(st.from_regex(r"[A-Za-z0-9._-]{3,32}", fullmatch=True))
def test_every_other_name_is_accepted_unless_reserved(name):
    plain = name.lower().translate(str.maketrans("", "", "._-"))
    expected = plain and plain not in users._reserved()

    try:
        users.require_username(name)
        accepted = True
    except (InvalidUsername, UsernameTaken):
        accepted = False
    assert accepted == bool(expected)


@given(st.text(max_size=30))
def test_an_address_that_is_accepted_is_one_line_with_one_at(text):
    address = text + "@example.org"
    try:
        users.require_email(address)
    except InvalidEmail:
        return

    assert address.isascii()
    assert address.isprintable()
    assert (address.count("@"), " " in address) == (1, False)


def test_who_left_is_found_by_no_name_and_frees_none(session):
    user = make_user(session, email=f"{make_username()}@example.org")
    address = user.email
    people.remove(session, user.id, now=NOW)

    assert users.by_username(session, user.username) is None
    assert users.by_email(session, address) is None
    assert not users.available(session, user.username)
    with pytest.raises(NoSuchUser):
        users.get(session, user.id)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM users",
        "UPDATE users SET username = 'other'",
        "DELETE FROM role_grants",
        "UPDATE role_grants SET ends_at = NULL",
        "UPDATE role_grants SET role = 'admin'",
        "UPDATE logins SET user_id = id",
        "UPDATE logins SET chain_key = ''",
        "UPDATE signing_keys SET salt = ''",
        "UPDATE external_identities SET user_id = user_id",
    ],
)
def test_the_application_may_not_rewrite_who_is_who(session, statement):
    with pytest.raises(sa.exc.ProgrammingError) as raised, session.begin_nested():
        session.execute(sa.text(statement))

    assert raised.value.orig.pgcode == "42501"


def test_the_database_keeps_nothing_of_who_left(session):
    user = make_user(session)
    row = sa.update(users.User).where(users.User.id == user.id)

    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(row.values(deleted_at=NOW, bio="still here"))
