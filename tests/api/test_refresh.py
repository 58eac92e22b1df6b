"""Refresh tokens: one at a time is good, and a spent one ends what it began."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from domain.logins import GRACE, Login
from tests.api.calling import Caller
from tests.api.people import exchange

MANY = 50


@pytest.fixture
def later(api_sessions):
    """Let a person's last refresh be longer ago than the grace lasts."""

    def later(person):
        mine = sa.update(Login).where(Login.user_id == person.user.id)
        before = Login.refreshed_at - GRACE - timedelta(seconds=1)
        with api_sessions.begin() as session:
            session.execute(mine.values(refreshed_at=before))

    return later


def test_each_refresh_gives_another_pair(person):
    first = person.refresh_token, person.access_token
    assert person.refresh().status_code == 200

    assert person.refresh_token != first[0]
    assert person.get("/auth/me").status_code == 200


def test_a_lost_answer_is_given_again(person, stranger):
    lost = exchange(stranger, person.refresh_token)
    again = exchange(stranger, person.refresh_token)

    assert again.json["refresh_token"] == lost.json["refresh_token"]
    assert exchange(stranger, again.json["refresh_token"]).status_code == 200


def test_many_who_refresh_with_one_token_at_once_do_not_fork_the_family(person, app):
    token, gate = person.refresh_token, threading.Barrier(MANY)

    def one(_number):
        gate.wait()
        return exchange(Caller(app), token)

    with ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(one, range(MANY)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    person.refresh_token = answers[0].json["refresh_token"]
    assert person.refresh().status_code == 200


def test_a_spent_token_ends_its_session(person, stranger, later):
    spent = person.refresh_token
    person.refresh()
    later(person)
    answer = exchange(stranger, spent)

    assert (answer.status_code, answer.json["code"]) == (401, "invalid_refresh_token")
    assert person.refresh().status_code == 401


def test_one_spent_twice_over_ends_it_even_within_the_grace(person, stranger):
    spent = person.refresh_token
    person.refresh()
    person.refresh()

    assert exchange(stranger, spent).status_code == 401
    assert person.refresh().status_code == 401


def test_a_thief_within_the_grace_is_found_out_by_the_next_refresh(
    person, stranger, later
):
    stolen = person.refresh_token
    person.refresh()
    thief = exchange(stranger, stolen).json["refresh_token"]
    assert exchange(stranger, thief).status_code == 200
    later(person)

    assert person.refresh().status_code == 401
    assert person.refresh().status_code == 401


def test_who_never_had_a_token_ends_nothing(person, stranger):
    head, login, family, link = person.refresh_token.split("_")
    forged = [
        f"{head}_{login}_{'0' * 32}_{link}",
        f"{head}_{'0' * 32}_{family}_{link}",
        f"{head}_{login}_{family}",
        "nonsense",
        person.access_token,
        "é" * 133,
    ]
    answers = [exchange(stranger, token) for token in forged]

    assert {answer.status_code for answer in answers} == {401}
    assert person.refresh().status_code == 200


def test_the_same_is_said_of_a_spent_token_and_an_unknown_one(person, stranger, later):
    spent = person.refresh_token
    person.refresh()
    later(person)
    told = [
        exchange(stranger, token).json["detail"] for token in (spent, spent, "nonsense")
    ]

    assert len(set(told)) == 1


def test_a_session_ends_when_it_was_not_used_for_long(person, api_sessions):
    mine = sa.update(Login).where(Login.user_id == person.user.id)
    with api_sessions.begin() as session:
        session.execute(mine.values(expires_at=sa.func.now()))

    assert person.refresh().status_code == 401


def test_only_digests_of_tokens_are_stored(person, api_sessions):
    with api_sessions() as session:
        row = session.scalar(
            sa.text("SELECT logins::text FROM logins WHERE user_id = :id"),
            {"id": person.user.id},
        )
    _, _, family, link = person.refresh_token.split("_")

    assert family not in row
    assert link not in row
