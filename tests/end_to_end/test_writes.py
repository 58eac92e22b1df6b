"""One write and many at once, from TCP to the books and back."""

import random

import pytest

from tests.end_to_end.wire import at_once, request
from tests.factories import make_owner

SPENDERS = 60


def operation(owner, name="CREDIT_ADD", nonce=None):
    return {
        "owner_id": owner,
        "operation": name,
        "nonce": nonce or make_owner("nonce"),
    }


@pytest.fixture
def funded(client):
    """An owner with twenty credits."""
    owner = make_owner()
    for _ in range(2):
        client.done("/ledger", operation(owner))
    return owner


def test_a_write_goes_from_202_to_the_balance(client):
    owner = make_owner()

    status, headers, job = client.ask("POST", "/ledger", operation(owner))
    done = client.get(f"{headers['Location']}?wait=30")

    assert (status, job["state"], done["state"]) == (202, "queued", "succeeded")
    assert client.balance(owner) == 10


def test_sixty_spenders_of_twenty_credits_leave_none_and_forty_refusals(client, funded):
    answers = at_once(
        lambda _: client.done("/ledger", operation(funded, "CREDIT_SPEND")),
        range(SPENDERS),
        threads=SPENDERS,
    )

    statuses = [status for status, _ in answers]
    assert (statuses.count(201), statuses.count(409)) == (20, 40)
    assert {said["code"] for status, said in answers if status == 409} == {
        "insufficient_credits"
    }
    assert client.balance(funded) == 0


def test_every_spender_sees_a_balance_of_their_own(client, funded):
    answers = at_once(
        lambda _: client.done("/ledger", operation(funded, "CREDIT_SPEND")),
        range(20),
        threads=20,
    )

    assert sorted(said["balance"] for _, said in answers) == list(range(20))


def test_one_write_sent_twenty_times_at_once_counts_once(client, funded):
    body = operation(funded)

    answers = at_once(lambda _: client.done("/ledger", body), range(20), threads=20)

    assert {status for status, _ in answers} == {201}
    assert len({said["transfer"]["id"] for _, said in answers}) == 1
    assert client.balance(funded) == 30


def test_transfers_in_every_direction_lose_nothing(client):
    """Crosswise, so that they would meet in deadlock if they could."""
    owners = [make_owner() for _ in range(6)]
    for owner in owners:
        client.done("/ledger", operation(owner))
    chance = random.Random(20_261_120)
    bodies = [
        {
            "from": a,
            "to": b,
            "amount": chance.randint(1, 5),
            "nonce": make_owner("nonce"),
        }
        for a, b in (chance.sample(owners, 2) for _ in range(200))
    ]

    answers = at_once(
        lambda body: client.done("/ledger/transfers", body), bodies, threads=32
    )

    assert {status for status, _ in answers} <= {201, 409}
    assert sum(client.balance(owner) for owner in owners) == 60


def test_the_books_balance_while_they_are_written(client, funded):
    def both(n):
        client.post("/ledger", operation(make_owner()))
        return client.get("/ledger/trial-balance")["sum"]

    assert set(at_once(both, range(100), threads=8)) == {0}


def test_content_is_published_and_read(stack):
    author = make_owner()
    body = {"owner_id": author, "nonce": "1", "title": "Over TCP"}

    with stack.client("content") as publisher:
        publisher.done("/ledger", operation(author))
        status, headers, made = publisher.ask(
            "POST", "/content", body, Prefer="wait=30"
        )
        shown = publisher.get(headers["Location"])

    assert (status, made["balance"], shown["title"]) == (201, 5, "Over TCP")


def test_a_stream_tells_of_a_job_as_it_happens(stack, client, wire, key):
    """WHATWG HTML §9.2; held back by nothing between worker and client."""
    workers = [*stack.workers_children(), *stack.workers()]
    for process in workers:
        process.suspend()
    try:
        job = client.ask("POST", "/ledger", operation(make_owner()))[2]
        wire.send(request("GET", job["links"]["events"], key))
        lines = wire.events()
        first = next(line for line in lines if line.startswith("event: "))
    finally:
        for process in workers:
            process.resume()
    rest = list(lines)

    assert first == "event: queued"
    assert [line for line in rest if line.startswith("event: ")] == ["event: succeeded"]


def test_a_stream_is_not_begun_again_after_its_end(client, stack, wire, key):
    _, made = client.done("/ledger", operation(make_owner()))
    path = f"/jobs/{made['transfer']['job_id']}/events"
    wire.send(request("GET", path, key))
    lines = list(wire.events())
    last = next(line for line in reversed(lines) if line.startswith("id: "))

    with stack.wire() as again:
        again.send(request("GET", path, key, f"Last-Event-ID: {last[4:]}"))
        status, _, body = again.answer()

    assert (status, body) == (204, b"")
