"""Intake: group commit, its bounds, and what happens when the database says no."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.errors import Problem
from api.intake import WAITING_BYTES_MAX, Intake
from api.waiters import Waiters
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.api.calling import Caller, opened, operation
from tests.databases import administer
from tests.factories import make_lane, make_owner, make_write
from tests.waiting import eventually

SENDERS = 64
LIMIT = 3


class Stall:
    """Keeps INSERTs into jobs waiting while it lasts, less long than they do."""

    def __init__(self, engine):
        self._engine = engine

    @contextmanager
    def __call__(self):
        with self._engine.begin() as connection:
            connection.execute(sa.text("LOCK TABLE jobs IN SHARE MODE"))
            yield

    def caught(self):
        """Say whether an INSERT is waiting."""
        with self._engine.connect() as connection:
            return connection.scalar(
                sa.text(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted "
                    "AND relation = 'jobs'::regclass)"
                )
            )


@pytest.fixture
def stall(api_database):
    engine = create_engine(Settings(database_url=api_database), role=False)
    yield Stall(engine)
    engine.dispose()


@pytest.fixture
def rung():
    return []


@pytest.fixture
def intake(api_sessions, rung):
    return Intake(api_sessions, lambda *bell: rung.append(bell), limit=SENDERS)


def submit(intake, *, size=100, **fields):
    job = make_write(**{"owner": make_owner(), "lane": make_lane(), **fields})
    return intake.submit(job, size=size)


@pytest.fixture
def gathered(stall, intake):
    """Return a function that lets submissions gather behind a stalled flush.

    It returns their futures, finished, in the order given.
    """

    def gather(*submissions):
        with ThreadPoolExecutor(len(submissions) + 1) as pool, stall():
            first = pool.submit(submit, intake)
            eventually(stall.caught)
            futures = [pool.submit(submit, intake, **one) for one in submissions]
            eventually(lambda: len(intake._waiting) == len(submissions))
        first.result()
        return futures

    return gather


def test_a_submission_is_stored_when_it_returns(intake, api_sessions):
    job = submit(intake).job

    with api_sessions() as session:
        state = session.scalar(
            sa.text("SELECT state FROM jobs WHERE id = :id"), {"id": job.id}
        )
    assert state == "queued"


def test_the_lane_of_what_was_stored_is_rung_for(intake, rung):
    lane = make_lane()

    submit(intake, lane=lane)

    eventually(lambda: rung == [("ledger", lane)])


def test_what_gathers_during_a_flush_is_stored_by_one_transaction(
    gathered, api_sessions
):
    lane = make_lane()

    gathered(*[{"lane": lane}] * SENDERS)

    with api_sessions() as session:
        stored = session.execute(
            sa.text(
                "SELECT count(*), count(DISTINCT xmin::text) FROM jobs "
                "WHERE lane = :lane"
            ),
            {"lane": lane},
        ).one()
    assert tuple(stored) == (SENDERS, 1)


def test_a_flush_rings_once_for_a_lane(gathered, rung):
    lane = make_lane()

    gathered(*[{"lane": lane}] * SENDERS)

    eventually(lambda: ("ledger", lane) in rung)
    assert rung.count(("ledger", lane)) == 1


def test_a_job_the_database_refuses_fails_alone(gathered):
    good, poison = {"lane": make_lane()}, {"lane": 2**15}

    futures = gathered(good, poison, good)

    assert [future.exception() is None for future in futures] == [True, False, True]


def test_beyond_its_limit_intake_refuses(stall, intake):
    with ThreadPoolExecutor(SENDERS + 1) as pool, stall():
        pool.submit(submit, intake)
        eventually(stall.caught)
        for _ in range(SENDERS):
            pool.submit(submit, intake)
        eventually(lambda: len(intake._waiting) == SENDERS)

        with pytest.raises(Problem) as refused:
            submit(intake)

    assert refused.value.name == "intake_full"


def test_intake_is_bounded_in_bytes_too(stall, intake):
    with ThreadPoolExecutor(2) as pool, stall():
        pool.submit(submit, intake)
        eventually(stall.caught)
        pool.submit(submit, intake, size=WAITING_BYTES_MAX)
        eventually(lambda: len(intake._waiting) == 1)

        with pytest.raises(Problem) as refused:
            submit(intake)

    assert refused.value.name == "intake_full"


def test_a_full_intake_is_503_and_stores_nothing(
    api_database, stall, caller, stored_jobs
):
    """RFC 9110 §15.6.4: Retry-After says when to come back."""
    small = create_app(Settings(database_url=api_database, intake_limit=LIMIT))
    sender = Caller(small, caller.key)
    before = stored_jobs()

    def send():
        return sender.post("/ledger", operation(make_owner()))

    with ThreadPoolExecutor(20) as pool:
        with stall():
            first = pool.submit(send)
            eventually(stall.caught)
            rest = [pool.submit(send) for _ in range(19)]
            eventually(lambda: sum(f.done() for f in rest) == 19 - LIMIT)
            refused = [future.result() for future in rest if future.done()]
        accepted = [f.result() for f in [first, *rest] if f.result() not in refused]

    seen = {(a.status_code, a.json["code"], a.headers["Retry-After"]) for a in refused}
    assert seen == {(503, "intake_full", "1")}
    assert {answer.status_code for answer in accepted} == {202}
    assert stored_jobs() - before == len(accepted) == 1 + LIMIT


class Refused:
    """A resource whose statement the database refuses."""

    def __init__(self, sessions):
        self._sessions = sessions

    def on_get(self, req, resp):
        with self._sessions() as session:
            session.execute(sa.text("SELECT 1 / 0"))


def test_a_statement_the_database_refuses_is_a_bug_not_an_outage(
    api_database, api_sessions
):
    """RFC 9110 §15.6: a bug does not go away by waiting, as a 503 would say."""
    own = create_app(Settings(database_url=api_database))
    own.add_route("/refused", Refused(api_sessions))

    with opened("/refused"):
        answer = Caller(own).get("/refused")

    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")


class Outage:
    """A database that can be taken away, and an API on it."""

    def __init__(self, server, url):
        self.name = sa.make_url(url).database
        self.server = server
        self.app = create_app(Settings(database_url=url))

    def begin(self):
        administer(
            self.server,
            f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608
            f"WHERE datname = '{self.name}'",
        )

    def end(self):
        administer(self.server, f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")


@pytest.fixture
def mortal(new_database):
    with new_database() as url:
        yield url


@pytest.fixture
def outage(servers, mortal):
    return Outage(servers["database"], mortal)


@pytest.fixture
def customer(outage, mortal, new_caller):
    engine = create_engine(Settings(database_url=mortal))
    caller = new_caller(app=outage.app, sessions=session_factory(engine))
    engine.dispose()
    return caller


def test_without_its_database_the_api_says_503(outage, customer):
    """RFC 9110 §15.6.4; nothing of the driver's words is told."""
    customer.post("/ledger", operation("a"))
    outage.begin()

    answers = [
        customer.post("/ledger", operation("a")),
        customer.get("/ledger/a"),
        customer.get("/jobs"),
        customer.get("/ledger/a/entries", headers={"Accept": "text/csv"}),
    ]

    outage.end()
    seen = {(a.status_code, a.json["code"], a.headers["Retry-After"]) for a in answers}
    assert seen == {(503, "database_unavailable", "1")}
    assert not [
        word for a in answers for word in ("psycopg", "FATAL") if word in a.text
    ]


def test_a_stream_of_events_ends_with_its_database(outage, customer):
    """WHATWG HTML §9.2.3: whoever listens comes back and goes on where it ended."""
    path = customer.post("/ledger", operation("a")).json["links"]["events"]

    stream = customer.open(path)
    first = next(stream) + next(stream)
    outage.begin()
    rest = list(stream)

    outage.end()
    assert b"event: queued" in first
    assert set(rest) <= {b": still here\n\n"}


def test_what_was_answered_503_in_an_outage_was_not_stored(outage, customer):
    customer.post("/ledger", operation("a"))
    outage.begin()
    customer.post("/ledger", operation("a"))
    outage.end()

    def listed():
        answer = customer.get("/jobs")
        return answer.status_code == 200 and answer.json["jobs"]

    assert len(eventually(listed)) == 1


def test_after_an_outage_writes_are_accepted_again(outage, customer):
    customer.post("/ledger", operation("a"))
    outage.begin()
    customer.post("/ledger", operation("a"))
    outage.end()

    body = operation("a")
    eventually(lambda: customer.post("/ledger", body).status_code == 202)


def test_after_an_outage_who_waits_is_woken_again(outage, customer, mortal, working):
    customer.post("/ledger", operation("a"), headers={"Prefer": "wait=1"})
    outage.begin()
    customer.post("/ledger", operation("a"), headers={"Prefer": "wait=1"})
    outage.end()
    body = operation("a")
    eventually(lambda: customer.post("/ledger", body).status_code == 202)

    with working(mortal):
        answer = customer.done("/ledger", operation("a"))

    assert answer.status_code == 201


def test_what_is_stored_is_202_even_if_the_wait_breaks_off(
    outage, customer, monkeypatch
):
    """Law 1 the other way round: 503 would say that nothing was stored."""

    def cut_off(*_arguments):
        raise OperationalError("SELECT", {}, Exception("the connection was lost"))

    monkeypatch.setattr(Waiters, "wait", cut_off)
    answer = customer.post("/ledger", operation("a"), headers={"Prefer": "wait=5"})

    assert answer.status_code == 202
