"""A credential opens audit events here when it opens them at the API, and only then."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from domain import blocklist, keys, logins, people, roles
from domain.logins import Login
from domain.roles import RoleGrant
from domain.signing_keys import SigningKey
from tests.api.observer.readers import AUDIT, bearer, of_key
from tests.factories import make_key

EVENTS = "/api/audit/events"
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def now():
    return datetime.now(UTC)


@pytest.fixture
def judged(node, stranger):
    """Return a function that tells the statuses with which node and API answer."""

    def judged(headers):
        return {
            node.get(AUDIT, headers=headers).status_code,
            stranger.get(EVENTS, headers=headers).status_code,
        }

    return judged


@pytest.fixture
def fated(owners_sessions):
    """Return a function that lets something happen to what was made."""

    def fated(fate, made):
        with owners_sessions.begin() as session:
            fate(session, made)

    return fated


def nothing_happened(_session, _made):
    """Let it be."""


# What may have become of a key before it is shown.


def expires_later(session, key):
    session.merge(key).expires_at = now() + HOUR


def has_expired(session, key):
    session.merge(key).expires_at = now() - SECOND


def was_revoked(session, key):
    keys.revoke(session, key.id, now=now())


KEYS = {nothing_happened: 200, expires_later: 200, has_expired: 401, was_revoked: 401}


@pytest.mark.parametrize("fate", KEYS)
def test_a_key_is_good_while_it_is_for_the_api(judged, api_sessions, fated, fate):
    with api_sessions.begin() as session:
        key, text = make_key(session, scopes=["audit:read"])
    fated(fate, key)

    assert judged({"X-API-Key": text}) == {KEYS[fate]}


@pytest.mark.parametrize("scopes", [["ledger:read"], ["keys:manage"], []])
def test_a_key_without_the_scope_is_told_which(judged, node, api_sessions, scopes):
    with api_sessions.begin() as session:
        _, text = make_key(session, scopes=scopes)
    reader = {"X-API-Key": text}

    assert judged(reader) == {403}
    answer = node.get(AUDIT, headers=reader).json
    assert (answer["code"], answer["scope"]) == ("missing_scope", "audit:read")


def test_the_secret_of_another_key_opens_nothing(judged, api_sessions):
    with api_sessions.begin() as session:
        (one, text), (other, _) = (
            make_key(session, scopes=["audit:read"]) for _ in range(2)
        )

    assert judged({"X-API-Key": text.replace(one.id, other.id)}) == {401}


# What may have become of a person since they logged in.


def lost_the_role(session, user):
    roles.revoke(session, user.id, "auditor", by=None, now=now())


def had_the_role_until_now(session, user):
    mine = sa.update(RoleGrant).where(RoleGrant.user_id == user.id)
    session.execute(mine.values(granted_at=now() - HOUR, ends_at=now() - SECOND))


def has_the_role_for_an_hour(session, user):
    roles.grant(session, user.id, "auditor", by=None, ends_at=now() + HOUR, now=now())


def has_another_role_too(session, user):
    roles.grant(session, user.id, "council", by=None, ends_at=None, now=now())


def logged_out(session, user):
    logins.end_all(session, user.id, now=now())


def was_away_too_long(session, user):
    mine = sa.update(Login).where(Login.user_id == user.id)
    session.execute(mine.values(expires_at=now() - SECOND))


def has_left(session, user):
    people.remove(session, user.id, now=now())


AUDITORS = {
    nothing_happened: 200,
    has_the_role_for_an_hour: 200,
    has_another_role_too: 200,
    lost_the_role: 403,
    had_the_role_until_now: 403,
    logged_out: 401,
    was_away_too_long: 401,
    has_left: 401,
}


@pytest.mark.parametrize("fate", AUDITORS)
def test_a_token_is_good_while_it_is_for_the_api(judged, new_person, fated, fate):
    auditor = new_person("auditor")
    fated(fate, auditor.user)

    assert judged(bearer(auditor)) == {AUDITORS[fate]}


@pytest.mark.parametrize("held", [(), ("operator",), ("moderator", "council")])
def test_a_person_without_the_role_is_told_the_scope(judged, node, new_person, held):
    reader = bearer(new_person(*held))

    assert judged(reader) == {403}
    answer = node.get(AUDIT, headers=reader).json
    assert (answer["code"], answer["scope"]) == ("missing_scope", "audit:read")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
        {"X-API-Key": "x"},
        {"X-API-Key": "pc_000000000000_" + "0" * 46},
    ],
    ids=str,
)
def test_a_credential_that_is_none_is_refused_and_not_passed_over(
    judged, node, headers
):
    assert judged(headers) == {401}
    assert "WWW-Authenticate" in node.get(AUDIT, headers=headers).headers


def test_two_credentials_are_one_too_many(judged, node, new_person, caller):
    both = {**bearer(new_person("auditor")), **of_key(caller)}

    assert judged(both) == {400}
    assert node.get(AUDIT, headers=both).json["code"] == "two_credentials"


def test_a_token_of_another_issuer_is_no_good(new_node, new_person):
    reader = bearer(new_person("auditor"))

    other = new_node(token_issuer="https://elsewhere.example")

    assert other.get(AUDIT, headers=reader).status_code == 401


def test_a_signing_key_the_api_does_not_stand_by_verifies_nothing(
    new_node, new_person, owners_sessions
):
    reader = bearer(new_person("auditor"))
    with owners_sessions.begin() as session:
        published = [
            {"id": key.id, "public_key": key.public_key}
            for key in session.scalars(sa.select(SigningKey))
        ]
        session.execute(sa.update(SigningKey).values(public_key=None))

    refused = new_node().get(AUDIT, headers=reader).status_code
    with owners_sessions.begin() as session:
        session.execute(sa.update(SigningKey), published)

    assert (refused, new_node().get(AUDIT, headers=reader).status_code) == (401, 200)


@pytest.mark.parametrize("fate", ["key", "person"])
def test_who_is_blocked_is_nobody(node, new_person, new_caller, fated, fate):
    auditor, caller = new_person("auditor"), new_caller("audit:read")
    reader = of_key(caller) if fate == "key" else bearer(auditor)

    def block(session, whom):
        principal = (
            whom.user.id if fate == "person" else key_of(session, whom).principal
        )
        blocklist.add(
            session, whom=principal, reason="x", actor=None, seconds=60, now=now()
        )

    def lift(session, whom):
        blocklist.lift_all(session, actor=whom.user.id, now=now())

    fated(block, caller if fate == "key" else auditor)
    refused = node.get(AUDIT, headers=reader).status_code
    fated(lift, auditor)

    assert (refused, node.get(AUDIT, headers=reader).status_code) == (401, 200)


def key_of(session, caller):
    return keys.find(session, caller.key.split("_")[1])


def test_looking_at_a_key_leaves_no_trace(node, new_caller, api_sessions):
    caller = new_caller("audit:read")
    assert node.get(AUDIT, headers=of_key(caller)).status_code == 200

    with api_sessions() as session:
        assert key_of(session, caller).last_used_at is None


def test_a_credential_is_looked_up_once_in_a_few_seconds(node, new_person):
    reader = bearer(new_person("auditor"))
    with node.statements() as first:
        node.get(AUDIT, headers=reader)
    with node.statements() as then:
        for _ in range(20):
            node.get(AUDIT, headers=reader)

    assert len(first) == 3, "the signing key, the login, the events"
    assert not [one for one in then if "audit_events" not in one]
