"""Watch the controller steer real workers: `python -m bench.controllers.live`.

An idle stack, then bursts of mail to a slow server: how soon a new worker has a job in
hand, when there are as few as before, what a killed controller changes (nothing), and
what it costs. Writes bench/results/controller.md; some ten minutes.
"""

import argparse
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

import psutil
from sqlalchemy.orm import Session

from bench import facts
from bench.controllers.slow_server import SlowServer, slow_server
from bench.stack import Stack, running
from cli import endpoints
from domain import password_resets, users

RESULT: Final = Path("bench/results/controller.md")
_BOUNDS: Final = "ledger=1-4,outbound=1-6"
_LOOK_SECONDS: Final = 0.02
_CALM_SECONDS: Final = 300.0
# The last step down is a small one, and taken only after ten calm minutes.
_FEW: Final = 2
_MAIL_SECONDS: Final = 0.5
_BURST: Final = 240
_CLIENTS: Final = 16
# Threads of a worker.
_SLOTS: Final = 4

_HEAD: Final = """# The controller at work

`python -m bench.controllers.live`, commit {commit}, {cores} cores, everything on one
machine; bounds {bounds}, bursts of {burst} mails to a server that takes {mail} s
for each.

| what | seen |
|---|---|
"""


def main() -> None:
    """Run it and write down what was seen."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bursts", type=int, default=3)
    options.add_argument("--idle", type=float, default=60.0, help="seconds to watch")
    given = options.parse_args()
    bursts, rows = [], []
    for number in range(given.bursts):
        with _watching() as watch:
            if number == 0:
                found = facts.collect(watch.stack)
                rows += watch.cost(given.idle)
            bursts.append(watch.up_and_down())
            if number == given.bursts - 1:
                rows += watch.killed()
            rows += watch.books(number + 1)
    rows[2:2] = _told(bursts)
    head = _HEAD.format(
        commit=found["commit"],
        cores=found["cores"],
        bounds=_BOUNDS,
        burst=_BURST,
        mail=_MAIL_SECONDS,
    )
    text = head + "".join(f"| {what} | {seen} |\n" for what, seen in rows)
    RESULT.write_text(text)
    print(text)


def _told(bursts: Sequence[tuple[float, int, float]]) -> list[tuple[str, str]]:
    """Return the rows of what became of every burst."""
    first, most, down = zip(*bursts, strict=True)
    return [
        (
            "from a burst to a job in a new worker's hand",
            f"{median(first):.1f} s, longest {max(first):.1f} (6.5 wanted)",
        ),
        ("workers at the last mail", ", ".join(map(str, most))),
        (
            f"from the last mail to {_FEW} workers or fewer",
            f"{median(down):.0f} s, longest {max(down):.0f}",
        ),
    ]


@contextmanager
def _watching() -> Iterator["_Watch"]:
    """Run a stack of its own for each burst.

    Who has turned twice in ten minutes turns no more for a while: of two bursts in a
    row, the second says nothing of how soon there are fewer.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        slow_server(lambda: _MAIL_SECONDS) as mail,
    ):
        data = Path(folder) / "stack"
        variables = {
            "SMTP_URL": mail.url,
            "MAIL_FROM": "coin@example.org",
            "CONTROLLER_BOUNDS": _BOUNDS,
            "RATE_LIMIT_LOGIN": "off",
        }
        with running(data, variables) as stack:
            yield _Watch(stack, data, mail)


class _Watch:
    """A stack, and what is asked of it."""

    def __init__(self, stack: Stack, data: Path, mail: SlowServer) -> None:
        self.stack = stack
        self._data = data
        self._mail = mail
        self._sent = 0
        self._there = 1
        self._people = self._make_people()

    def up_and_down(self) -> tuple[float, int, float]:
        """Return seconds to more at work, most workers, and seconds to few again."""
        self._until(lambda: len(self._workers()) == 1, _CALM_SECONDS)
        began = self._burst()
        first = self._until(self._more_at_work, 60) - began
        self._until(self._all_sent, 120)
        most = len(self._workers())
        self._until(self._few, _CALM_SECONDS)
        return first, most, self._seconds_since_last_mail()

    def cost(self, seconds: float) -> list[tuple[str, str]]:
        """Return what the controller takes of the processor and the memory."""
        process = psutil.Process(self._pid("controller"))
        before = process.cpu_times()
        time.sleep(seconds)
        after = process.cpu_times()
        spent = after.user + after.system - before.user - before.system
        memory = process.memory_full_info()
        return [
            (
                f"processor of the controller, idle, {seconds:.0f} s",
                f"{spent / seconds:.2%} of a core (under 1 % wanted)",
            ),
            (
                "memory of the controller",
                f"{memory.rss / 1e6:.0f} MB (under 80 wanted)",
            ),
        ]

    def killed(self) -> list[tuple[str, str]]:
        """Kill the controller under load; return what that changed."""
        self._burst()
        workers, before = self._workers(), self._pid("controller")
        os.kill(before, signal.SIGKILL)
        killed = time.monotonic()
        name = f"%:{before}"
        acted = self._until(
            lambda: self.stack.value(
                "SELECT EXISTS (SELECT FROM controller_actions WHERE at > :at"
                " AND controller NOT LIKE :name)",
                at=datetime.now(UTC) - timedelta(seconds=30),
                name=name,
            ),
            60,
        )
        kept = workers & self._workers()
        same = len(kept) == len(workers)
        self._until(self._all_sent, 120)
        return [
            (
                "controller killed (-9) under load",
                f"{len(kept)} of {len(workers)} workers worked on; the next one "
                f"decided {acted - killed:.1f} s later"
                if same
                else f"only {len(kept)} of {len(workers)} workers worked on",
            )
        ]

    def books(self, number: int) -> list[tuple[str, str]]:
        """Return whether every mail was sent, and once."""
        jobs = self.stack.rows(
            "SELECT state, attempts, count(*) FROM jobs WHERE kind = :kind"
            " GROUP BY state, attempts",
            kind=password_resets.SEND,
        )
        said = ", ".join(
            f"{count} {state} after {attempts} attempt"
            for state, attempts, count in jobs
        )
        return [
            (f"jobs of stack {number}", said),
            (
                f"mails received by stack {number}",
                f"{self._mail.received.total()} of {self._sent}",
            ),
        ]

    def _make_people(self) -> list[str]:
        addresses = [f"person{number}@example.org" for number in range(_BURST)]
        with Session(self.stack.engine) as session:
            for number, address in enumerate(addresses):
                users.create(
                    session,
                    username=f"person{number}",
                    email=address,
                    password_hash="-",  # noqa: S106  nobody can log in with it
                    now=datetime.now(UTC),
                )
        return addresses

    def _burst(self) -> float:
        """Ask for many mails at once; return when the first was asked for."""
        self._there = len(self._workers())
        began = time.monotonic()
        with ThreadPoolExecutor(_CLIENTS) as clients:
            answers = list(clients.map(self._ask, self._people))
        if set(answers) != {HTTPStatus.ACCEPTED}:
            raise RuntimeError(f"not accepted: {Counter(answers)}")
        self._sent += len(answers)
        return began

    def _ask(self, address: str) -> int:
        connection = HTTPConnection(urlsplit(self.stack.api).netloc, timeout=10)
        try:
            connection.request(
                "POST",
                "/auth/password-reset/request",
                json.dumps({"email": address}),
                {"Content-Type": "application/json"},
            )
            return connection.getresponse().status
        finally:
            connection.close()

    def _all_sent(self) -> bool:
        return not self.stack.value(
            "SELECT EXISTS (SELECT FROM jobs WHERE queue = 'mail'"
            " AND state IN ('queued', 'running'))"
        )

    def _more_at_work(self) -> bool:
        """Say whether more jobs run than those who were there at first can hold."""
        running = "SELECT count(*) FROM jobs WHERE queue = 'mail' AND state = 'running'"
        return int(self.stack.value(running)) > _SLOTS * self._there

    def _few(self) -> bool:
        return len(self._workers()) <= _FEW

    def _workers(self) -> set[int]:
        """Return the processes that send mail, as they are heard of."""
        heard = (
            "SELECT pid FROM workers WHERE worker_group = 'outbound'"
            " AND seen_at > now() - interval '5 seconds'"
        )
        return {row.pid for row in self.stack.rows(heard)}

    def _seconds_since_last_mail(self) -> float:
        last = "SELECT max(finished_at) FROM jobs WHERE queue = 'mail'"
        return float((datetime.now(UTC) - self.stack.value(last)).total_seconds())

    def _pid(self, role: str) -> int:
        return endpoints.read(self._data).pids[role]

    def _until(self, so: Callable[[], bool], seconds: float) -> float:
        """Wait until something is so; return when, or raise TimeoutError."""
        deadline = time.monotonic() + seconds
        while not so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not so within {seconds:.0f} s")
            time.sleep(_LOOK_SECONDS)
        return time.monotonic()


if __name__ == "__main__":
    main()
