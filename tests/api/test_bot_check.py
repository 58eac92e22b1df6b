"""The question whether a person is there, to a real service on this host."""

import threading
import time
from urllib.parse import parse_qs

import pytest

from api.app import create_app
from api.people import bot_check
from domain.settings import InvalidSettings, Settings
from tests.api.answering import answering
from tests.api.calling import Caller
from tests.api.people import log_in, make_name, register


@pytest.fixture
def service():
    """A service for which the answer to every puzzle is "seven"."""

    def verify(body):
        return {"success": parse_qs(body)["response"] == ["seven"]}

    with answering() as served:
        served.answers["/siteverify"] = verify
        yield served


@pytest.fixture
def visitor(service, api_database):
    settings = Settings(
        database_url=api_database,
        bot_check_url=f"{service.url}/siteverify",
        bot_check_secret="ours",
    )
    return Caller(create_app(settings))


def test_a_person_registers_and_logs_in(visitor, service):
    name = make_name()

    assert register(visitor, username=name, captcha="seven").status_code == 201
    assert log_in(visitor, name, captcha="seven").status_code == 200
    assert [parse_qs(body) for _, body in service.asked] == [
        {"secret": ["ours"], "response": ["seven"], "remoteip": ["127.0.0.1"]}
    ] * 2


@pytest.mark.parametrize(
    ("given", "code"),
    [({}, "captcha_needed"), ({"captcha": "eight"}, "captcha_failed")],
)
def test_a_bot_does_neither(visitor, given, code):
    for answer in (register(visitor, **given), log_in(visitor, "someone", **given)):
        assert (answer.status_code, answer.json["code"]) == (422, code)


@pytest.mark.parametrize(
    "answer", [{}, {"success": "true"}, {"success": 1}, {"success": None}]
)
def test_only_yes_is_yes(visitor, service, answer):
    service.answers["/siteverify"] = answer

    assert register(visitor, captcha="seven").json["code"] == "captcha_failed"


@pytest.mark.parametrize("answer", [None, b"<html>", b"[true]"])
def test_no_answer_is_not_a_good_one(visitor, service, answer):
    service.answers["/siteverify"] = answer
    refused = register(visitor, captcha="seven")

    assert (refused.status_code, refused.json["code"]) == (503, "bot_check_unavailable")
    assert refused.headers["Retry-After"]


def test_a_service_that_is_slow_is_not_waited_for(visitor, service, monkeypatch):
    may = threading.Event()
    monkeypatch.setattr(bot_check, "_SECONDS", 0.2)
    service.answers["/siteverify"] = lambda _body: may.wait(10) and {"success": True}
    began = time.monotonic()
    refused = register(visitor, captcha="seven")
    may.set()

    assert refused.status_code == 503
    assert time.monotonic() - began < 3


def test_without_a_service_nobody_is_asked(stranger):
    assert register(stranger, captcha="whatever").status_code == 201


def test_a_service_needs_a_secret():
    environ = {"DATABASE_URL": "postgresql://x", "BOT_CHECK_URL": "https://example.org"}

    with pytest.raises(InvalidSettings, match="BOT_CHECK_SECRET"):
        Settings.from_environ(environ)
