"""Broker and workers are flushed, frozen and killed; nothing accepted is lost."""

import threading
import time

import psutil
import pytest
import sqlalchemy as sa

from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.end_to_end.wire import at_once
from tests.factories import make_owner
from tests.waiting import eventually

pytestmark = pytest.mark.long

WRITES = 2_000
OWNERS = 20
SENDERS = 16
ACCEPT_SECONDS = 2.0
FROZEN_SECONDS = 5.0
ALL_DONE_SECONDS = 60
BATCHES = 8
ENTRIES = 5_000


@pytest.fixture
def books(stack):
    """The stack's database, to see what is stored and what is under way."""
    # Only their owner is shown the statements of others.
    engine = create_engine(
        Settings(database_url=stack.endpoints["database"]), role=False
    )
    yield session_factory(engine)
    engine.dispose()


def query(books, text, **bound):
    with books() as session:
        return session.execute(sa.text(text), bound).all()


def transfers_of(books, owners):
    """Return how many transfers each owner got."""
    rows = query(
        books,
        """SELECT owner, version FROM accounts
           WHERE application = 'commons' AND owner = ANY(:owners)""",
        owners=owners,
    )
    return dict(rows)


def jobs_of(books, ids):
    """Return how many of the jobs ended how."""
    return dict(
        query(
            books,
            """SELECT state, count(*) FROM jobs
               WHERE id = ANY(CAST(:ids AS uuid[])) GROUP BY state""",
            ids=ids,
        )
    )


class Senders:
    """Clients that write all the time, to owners in turn, until told to stop."""

    def __init__(self, client, *, writes):
        self.owners = [make_owner("faults") for _ in range(OWNERS)]
        self.writes = writes
        self.answers = []
        self._client = client
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._stop.set()
        self._thread.join()

    def join(self):
        self._thread.join()

    def sent(self, count):
        return len(self.answers) >= count

    @property
    def statuses(self):
        return {status for status, _, _ in self.answers}

    @property
    def slowest(self):
        return max(seconds for _, _, seconds in self.answers)

    @property
    def ids(self):
        return [said["id"] for _, said, _ in self.answers]

    def _run(self):
        at_once(self._send, range(self.writes), threads=SENDERS)

    def _send(self, number):
        if self._stop.is_set():
            return
        body = {
            "owner_id": self.owners[number % OWNERS],
            "operation": "CREDIT_ADD",
            "nonce": make_owner(f"faults-{number}"),
        }
        self.answers.append(self._client.post("/ledger", body))


def assert_each_write_counted_once(books, client, senders):
    ids = senders.ids
    eventually(
        lambda: jobs_of(books, ids) == {"succeeded": len(ids)},
        within=ALL_DONE_SECONDS,
    )
    got = transfers_of(books, senders.owners)
    assert sum(got.values()) == len(ids)
    assert {client.balance(owner) for owner in senders.owners} == {
        10 * number for number in got.values()
    }


def test_two_thousand_writes_outlive_flushes_and_deaths_of_redis(stack, client, books):
    stack.own("redis")

    with Senders(client, writes=WRITES) as senders:
        for share in range(1, 9):
            eventually(
                lambda share=share: senders.sent(share * WRITES // 10), within=60
            )
            with stack.redis() as redis:
                redis.flushall()
            if share % 3 == 0:
                killed = stack.endpoints["pids"]["redis"]
                psutil.Process(killed).kill()
                eventually(
                    lambda killed=killed: (
                        stack.endpoints["pids"].get("redis", killed) != killed
                    )
                )
                eventually(lambda: answers_ping(stack))
        senders.join()

    assert len(senders.answers) == WRITES
    assert senders.statuses == {202}
    assert senders.slowest < ACCEPT_SECONDS
    assert_each_write_counted_once(books, client, senders)


def answers_ping(stack):
    try:
        with stack.redis() as redis:
            return redis.ping()
    except Exception:  # noqa: BLE001  it is being started
        return False


def test_a_frozen_redis_delays_nobody(stack, client, books):
    redis = stack.own("redis")

    with Senders(client, writes=100_000) as senders:
        eventually(lambda: senders.sent(100))
        redis.suspend()
        frozen = time.monotonic()
        before = len(senders.answers)
        eventually(
            lambda: time.monotonic() - frozen > FROZEN_SECONDS,
            within=2 * FROZEN_SECONDS,
        )
        meanwhile = len(senders.answers) - before
        redis.resume()

    assert senders.statuses == {202}
    assert senders.slowest < ACCEPT_SECONDS
    assert meanwhile > 100
    assert_each_write_counted_once(books, client, senders)


def busy(books):
    """Say whether a worker is in the middle of a batch of the ledger."""
    return query(
        books,
        """SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
           WHERE locktype = 'advisory' AND granted AND state <> 'idle'
             AND datname = current_database()
             AND backend_type = 'client backend' AND query ILIKE '%transfers%'""",
    )


@pytest.fixture
def batches(client):
    """Eight batches of five thousand writes, and whom they are for."""
    owner = make_owner("batches")
    nonce = make_owner("batch")
    return owner, [
        {
            "entries": [
                {
                    "owner_id": owner,
                    "operation": "CREDIT_ADD",
                    "nonce": f"{nonce}-{number}-{entry}",
                }
                for entry in range(ENTRIES)
            ]
        }
        for number in range(BATCHES)
    ]


def kill_children(stack):
    for child in stack.workers_children():
        child.kill()


def kill_worker(stack):
    killed = stack.members("ledger")
    for pid in killed:
        psutil.Process(pid).kill()
    eventually(lambda: set(stack.members("ledger")) - set(killed), within=30)


def kill_pool(stack):
    killed = stack.endpoints["pids"]["workers"]
    psutil.Process(killed).kill()
    eventually(
        lambda: stack.endpoints["pids"].get("workers", killed) != killed, within=30
    )


@pytest.mark.parametrize("kill", [kill_children, kill_worker, kill_pool])
def test_a_worker_killed_in_mid_batch_loses_and_doubles_nothing(
    stack, client, books, batches, kill
):
    owner, bodies = batches
    ids = []
    for body in bodies:
        status, said, _ = client.post("/ledger/batches", body)
        assert status == 202
        ids.append(said["id"])

    kills = 0
    while kills < 2:
        eventually(lambda: busy(books), within=30)
        kill(stack)
        kills += 1
    eventually(
        lambda: jobs_of(books, ids) == {"succeeded": BATCHES}, within=ALL_DONE_SECONDS
    )

    assert client.get(f"/ledger/{owner}")["version"] == BATCHES * ENTRIES
    assert client.balance(owner) == 10 * BATCHES * ENTRIES
    assert client.get("/ledger/trial-balance")["sum"] == 0


def test_after_all_that_it_is_ready(stack, client):
    def ready():
        status, _, _ = client.ask("GET", "/status/ready")
        return status == 200

    eventually(ready, within=30)
