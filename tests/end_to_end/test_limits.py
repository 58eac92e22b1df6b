"""Limits over two processes and a real Redis, behind a proxy that is trusted."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from bench.faults.lent import lent
from tasks._breaker import LEFT_ALONE_SECONDS
from tests.cli.conftest import new_folder
from tests.end_to_end.wire import request
from tests.waiting import eventually

LOGINS = 20
KNOWN_SECONDS = 5
ATTEMPTS = 8
SETTINGS = {
    "RATE_LIMIT_LOGIN": f"{LOGINS}/hour",
    "RATE_LIMIT_ADDRESS": "1000/hour",
    "TRUSTED_PROXIES": "127.0.0.0/8",
    "CORS_ORIGINS": "https://app.example",
}


@pytest.fixture(scope="module")
def limited(start, given):
    with new_folder() as name, lent(given) as servers:
        stack = start(Path(name) / "data", "--no-flower", **servers, **SETTINGS)
        try:
            yield stack
        finally:
            stack.stop()


def ask(stack, address, *, path="/problems/blocked", times=1):
    """Return the statuses of one connection's requests, through our proxy."""
    with stack.wire() as wire:
        forwarded = f"X-Forwarded-For: {address}"
        return [
            wire.send(request("GET", path, forwarded)).answer()[0] for _ in range(times)
        ]


@pytest.fixture
def shared(limited):
    """The stack, where its processes can tell each other what they counted."""
    if not limited.endpoints["redis"]:
        pytest.skip("no Redis: each process counts for itself")
    return limited


def over(moment):
    return time.monotonic() > moment


def counted_together(stack, connections, **asked):
    """Return the statuses of many at once, Redis having been quick all the while.

    Where it takes longer than a twentieth of a second each process counts for itself,
    and on a busy machine it does: then others are asked for, some seconds later.
    """
    for attempt in range(ATTEMPTS):
        # What was slow before is asked again by now.
        eventually(partial(over, time.monotonic() + LEFT_ALONE_SECONDS), within=60)
        address = f"192.0.2.{100 + attempt}"
        slow = stack.said.count("limits_not_shared")
        with ThreadPoolExecutor(connections) as pool:
            answers = pool.map(
                lambda _: ask(stack, address, **asked),  # noqa: B023  used at once
                range(connections),
            )
            statuses = [status for several in answers for status in several]
        if stack.said.count("limits_not_shared") == slow:
            return statuses
    pytest.skip("too busy a machine: Redis was slow, and each process on its own")


def test_an_exact_limit_is_one_over_all_processes(shared):
    """Sixteen connections: whichever process they came to, twenty are let through."""
    statuses = counted_together(shared, 16, path="/auth/token", times=5)

    assert len(statuses) - statuses.count(429) == LOGINS


def test_a_quota_is_shared_to_a_hundredth_a_process(shared):
    statuses = counted_together(shared, 8, times=200)

    assert 1_000 - 2 <= statuses.count(200) <= 1_000 + 2 * 10 + 8


def test_a_block_reaches_every_process_in_time(limited):
    with limited.client() as client:
        status, headers, _ = client.ask(
            "POST",
            "/api/immune/blocklist",
            {"address": "192.0.2.3", "reason": "a test"},
            X_Forwarded_For="198.51.100.1",
        )
        assert status == 201

        def everywhere():
            return all(ask(limited, "192.0.2.3") == [403] for _ in range(20))

        eventually(everywhere, within=KNOWN_SECONDS)
        assert ask(limited, "192.0.2.4") == [200]
        client.ask("DELETE", headers["Location"])


def test_what_is_never_heard_by_the_application_is_safe_for_browsers_too(limited):
    with limited.wire() as wire:
        _, headers, _ = wire.send(b"nonsense\r\n\r\n").answer()

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
