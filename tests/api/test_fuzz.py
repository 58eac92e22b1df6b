"""Whatever is sent: never a bug, always an answer of a known kind, and what was
accepted never fails."""

import io
import json
import re

import pytest
import sqlalchemy as sa
from hypothesis import given, settings

from api.app import create_app
from domain.db import create_engine, session_factory
from domain.jobs import Job
from domain.settings import Settings
from tests.api.calling import PROBLEM, Caller, operation
from tests.api.requests import GOOD, reads, surface, writes
from tests.waiting import eventually

SURFACE_EXAMPLES = 250
READ_EXAMPLES = 200
BODY_EXAMPLES = 60
FINE = {200, 201, 202, 204, 304}
REFUSED = {400, 401, 403, 404, 405, 409, 413, 415, 422}
INTERNALS = re.compile(r"Traceback|psycopg|sqlalchemy|SELECT |INSERT |\.py\b")
UNFIT_FOR_HEADERS = re.compile(r"[^\x20-\x7e]")


class Target:
    """An API on a database of its own, and two who may use it."""

    def __init__(self, url, new_caller):
        self.url = url
        self.sessions = session_factory(create_engine(Settings(database_url=url)))
        app = create_app(Settings(database_url=url, rate_limit_address="off"))
        self.callers = {
            name: new_caller(app=app, sessions=self.sessions, application=name)
            for name in ("commons", "content")
        }
        self.stranger = Caller(app)

    def _count(self, condition):
        counted = sa.select(sa.func.count()).select_from(Job)
        with self.sessions() as session:
            return session.scalar(
                counted.where(Job.application.is_not(None), condition)
            )

    def jobs(self):
        return self._count(sa.true())

    def unfinished(self):
        return self._count(Job.state == "queued")

    def failed(self):
        """Return how many jobs a worker could not apply at the first attempt."""
        return self._count((Job.state == "failed") | (Job.attempts > 1))

    def send(self, caller, request):
        method, path, headers, environ = request
        body = environ["body"]
        given = {name: value for name, value in environ.items() if name != "body"}
        return caller.raw(
            method, path, headers=headers, **given, **{"wsgi.input": io.BytesIO(body)}
        )

    def check(self, request):
        """Send a request as each caller, and hold the answers to what is promised."""
        for caller in (*self.callers.values(), self.stranger):
            before = self.jobs()
            answer = self.send(caller, request)
            assert answer.status_code in FINE | REFUSED | unready(request)
            assert_well_formed(answer, method=request[0])
            if answer.status_code not in {201, 202}:
                assert self.jobs() == before
            assert caller is not self.stranger or answer.status_code not in {201, 202}


def unready(request):
    """Return what the one resource may answer that tells of a missing worker."""
    return {503} if "/status/ready" in request[3].get("PATH_INFO", "") else set()


def assert_well_formed(answer, *, method):
    for name, value in answer.headers.items():
        assert not UNFIT_FOR_HEADERS.search(name + value)
    assert not INTERNALS.search(answer.text)
    assert answer.headers["X-Request-ID"]
    if method == "HEAD" or answer.status_code in {204, 304}:
        assert answer.content == b""
    elif answer.status_code not in FINE:
        assert answer.headers["Content-Type"] == PROBLEM
        assert answer.json["status"] == answer.status_code
        assert json.dumps(answer.json)


@pytest.fixture
def target(new_database, new_caller):
    with new_database() as url:
        target = Target(url, new_caller)
        yield target
        target.sessions.kw["bind"].dispose()


@pytest.fixture
def ended(target):
    """A job that is finished, so that nobody waits for it."""
    commons = target.callers["commons"]
    ended = commons.post("/ledger", operation("alice")).json["id"]
    commons.delete(f"/jobs/{ended}")
    return ended


def test_no_look_is_a_bug(target, ended):
    @settings(max_examples=READ_EXAMPLES)
    @given(reads(ended))
    def any_look(request):
        target.check(request)

    any_look()


def test_no_request_anywhere_is_a_bug(target, ended):
    @settings(max_examples=SURFACE_EXAMPLES)
    @given(surface(ids=[ended]))
    def anything(request):
        target.check(request)

    anything()


@pytest.mark.parametrize("path", sorted(GOOD))
def test_no_body_is_a_bug_and_nothing_accepted_fails(target, working, path):
    @settings(max_examples=BODY_EXAMPLES)
    @given(writes(path))
    def any_body(request):
        target.check(request)

    any_body()
    with working(target.url):
        eventually(lambda: target.unfinished() == 0, within=60)

    assert target.failed() == 0
