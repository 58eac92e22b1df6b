"""Copies in Redis with real processes: what was told is read, everywhere, always."""

import time
from contextlib import contextmanager

from tests.end_to_end.wire import at_once
from tests.factories import make_owner

WRITERS = 8
WRITES = 15


@contextmanager
def frozen(process):
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def write(client, owner):
    """Give ten credits and return the balance that is told."""
    body = {"owner_id": owner, "operation": "CREDIT_ADD", "nonce": make_owner("nonce")}
    status, made = client.done("/ledger", body)
    assert status == 201, made
    return made["balance"]


def write_and_read(client, owner):
    """Return what was read too low after each of some writes, with what was told."""
    return [
        (told, read)
        for _ in range(WRITES)
        if (told := write(client, owner)) > (read := client.balance(owner))
    ]


def found(stack):
    """Return how many reads found a copy, of all processes."""
    with stack.wire() as wire:
        wire.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        lines = wire.answer()[2].decode().splitlines()
    return sum(
        float(line.split()[-1])
        for line in lines
        if line.startswith("coin_cache_reads_total") and 'outcome="hit"' in line
    )


def test_each_of_many_writers_reads_what_it_was_told(stack, client):
    """Two API processes, connections of their own, and owners they share."""
    owners = [make_owner() for _ in range(2)] * (WRITERS // 2)
    before = found(stack)

    too_low = at_once(
        lambda owner: write_and_read(client, owner), owners, threads=WRITERS
    )
    for owner in owners:
        client.balance(owner)

    assert too_low == [[]] * WRITERS
    assert [client.balance(owner) for owner in owners[:2]] == [
        10 * WRITES * WRITERS // 2
    ] * 2
    # On RabbitMQ alone there is no Redis, and so there are no copies.
    assert (found(stack) > before) == bool(stack.endpoints["redis"])


def test_a_redis_that_hangs_delays_reads_once_and_makes_none_wrong(stack, client):
    redis = stack.own("redis")
    owner = make_owner()
    write(client, owner)
    client.balance(owner)
    with frozen(redis):
        began = time.monotonic()
        read = [client.balance(owner) for _ in range(50)]
        seconds = time.monotonic() - began
    # It is the broker, too: what is written meanwhile waits for it.
    told, after = write(client, owner), client.balance(owner)

    assert read == [10] * 50
    assert seconds < 5
    assert (told, after) == (20, 20)
