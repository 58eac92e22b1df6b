"""Workers taken away by the hundred while they work: nothing is lost or done twice.

python -m bench.controllers.scale_downs [--times 200] [--seed 1] [--write]
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from bench import facts
from bench.controllers.mails import Mails
from bench.controllers.slow_server import SlowServer, slow_server
from bench.faults.books import Books
from bench.faults.load import Load
from bench.faults.verdict import judge
from bench.faults.waiting import until
from bench.faults.writes import draw
from bench.stack import ROOT, Stack, running
from cli import endpoints
from controller.targets import Unavailable
from controller.targets.local import say
from domain.workers import GROUPS

_RESULT = ROOT / "bench" / "results" / "scale_downs.md"
_MOST = 5
_RATE, _CONNECTIONS = 60, 4
_READY_SECONDS = 60.0
_DRAIN_SECONDS = 300.0
_MAIL_SECONDS = (0.2, 1.5)
_UNDER_LOAD_SECONDS = (0.0, 1.0)


@dataclass
class Seen:
    """What the pool was told, and what became of its members."""

    downs: int = 0
    ready_seconds: list[float] = field(default_factory=list)
    end_seconds: list[float] = field(default_factory=list)
    busy: int = 0  # of those that were told to end, had something in hand
    _ending: dict[str, tuple[int, float]] = field(default_factory=dict)

    def look(self, told: dict[str, Any]) -> None:
        """Note who is ending, and who has ended since the last look."""
        now = time.monotonic()
        ending = {
            f"{one['name']} {one['pid']}": one
            for group in told["groups"].values()
            for one in group["members"]
            if one["ending_for"] is not None
        }
        for name, one in ending.items():
            if name not in self._ending:
                self.busy += bool(one["busy"])
                self._ending[name] = (one["busy"], now)
        for name in self._ending.keys() - ending.keys():
            self.end_seconds.append(now - self._ending.pop(name)[1])


class Run:
    """One stack, loaded and sized up and down."""

    def __init__(self, socket: str, chance: Random) -> None:
        self.seen = Seen()
        self._socket = socket
        self._chance = chance

    def tell(self, size: int) -> None:
        """Tell every group a size."""
        self.seen.look(self._say({"sizes": dict.fromkeys(GROUPS, size)}))

    def up_and_down(self) -> None:
        """Grow to some size, let all of them work, and shrink to a smaller one."""
        size = self._chance.randint(2, _MOST)
        began = time.monotonic()
        self.tell(size)
        until(lambda: self._ready(size), _READY_SECONDS, "workers that are ready")
        self.seen.ready_seconds.append(time.monotonic() - began)
        time.sleep(self._chance.uniform(*_UNDER_LOAD_SECONDS))
        self.tell(self._chance.randint(1, size - 1))
        self.seen.downs += 1
        time.sleep(self._chance.uniform(*_UNDER_LOAD_SECONDS))

    def _say(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Say it until it is heard: the pool is nice, and the machine is busy."""
        stop = time.monotonic() + _READY_SECONDS
        while True:
            try:
                return say(self._socket, wanted)
            except Unavailable:
                if time.monotonic() > stop:
                    raise

    def settled(self) -> bool:
        """Say whether everybody who was told to end has ended."""
        told = self._say({})
        self.seen.look(told)
        members = [one for name in GROUPS for one in told["groups"][name]["members"]]
        return all(one["ending_for"] is None for one in members)

    def _ready(self, size: int) -> bool:
        told = self._say({})
        self.seen.look(told)
        return all(
            sum(one["ready"] for one in group["members"] if one["ending_for"] is None)
            == size
            for name, group in told["groups"].items()
            if name in GROUPS
        )


def play(stack: Stack, server: SlowServer, data: Path, times: int, seed: int) -> str:
    """Return what came of it, as Markdown; raise where anything was lost or doubled."""
    run = Run(endpoints.read(data).workers or "", Random(seed))
    writes = draw(Random(f"{seed} writes"), f"scale-{seed}")
    load = Load(stack.api, stack.key, writes, rate=_RATE, connections=_CONNECTIONS)
    began = time.monotonic()
    with closing(Mails(stack)) as mails:
        # What a mail's token is signed with is made in the first seconds.
        until(lambda: stack.value("SELECT count(*) FROM signing_keys"), 30, "a key")
        mails.start()
        load.start()
        for number in range(times):
            run.up_and_down()
            print(f"{number + 1:4}  {len(server.received):6} mails", flush=True)
        load.stop()
        mails.stop()
        run.tell(2)
        until(lambda: _done(stack), _DRAIN_SECONDS, "jobs done")
        until(run.settled, _DRAIN_SECONDS, "the end of all that were told to")
        seconds = time.monotonic() - began
        faults = [
            *_mail_faults(mails, server),
            *_write_faults(stack, load, f"scale-{seed}"),
            *_exit_faults(data),
        ]
    if faults:
        raise SystemExit("\n".join(faults[:20]))
    return _report(stack, run.seen, len(load.accepted), len(mails.sent), seconds)


def _done(stack: Stack) -> bool:
    waiting = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"
    return not stack.value(f"{waiting} AND application IS NOT NULL")


def _mail_faults(mails: Mails, server: SlowServer) -> Iterator[str]:
    rows = mails.rows()
    if len(rows) != len(mails.sent):
        yield f"{len(mails.sent)} jobs were submitted, there are {len(rows)}"
    for job, state, attempts in rows:
        if (state, attempts) != ("succeeded", 1):
            yield f"mail job {job} {state} after {attempts} attempts"
    for address in mails.sent:
        if server.received[address] != 1:
            yield f"{address} was sent {server.received[address]} mails"


def _write_faults(stack: Stack, load: Load, prefix: str) -> Iterator[str]:
    yield from load.problems
    verdict = judge(Books(stack.database), load.accepted, prefix)
    yield from verdict.faults
    if verdict.lost or verdict.doubled:
        yield f"{verdict.lost} writes lost, {verdict.doubled} doubled"
    again = stack.value(
        "SELECT count(*) FROM jobs WHERE application IS NOT NULL AND attempts <> 1"
    )
    if again:
        yield f"{again} jobs were tried more than once"


def _exit_faults(data: Path) -> Iterator[str]:
    """Yield every member that ended otherwise than it was told."""
    for line in (data.parent / f"{data.name}.log").read_text().splitlines():
        _, _, said = line.partition("| ")
        if '"member_ended"' in said and (ended := json.loads(said))["code"]:
            yield f"{ended['member']} ended with {ended['code']}"
        if '"member_lost"' in said or '"member_crashed"' in said:
            yield said


def _report(stack: Stack, seen: Seen, writes: int, mails: int, seconds: float) -> str:
    found = facts.collect(stack)
    ended = len(seen.end_seconds)
    return f"""\
# Workers taken away while they work

`python -m bench.controllers.scale_downs` at {found["at"]}, commit {found["commit"]},
{found["cores"]} cores, PostgreSQL {found["postgresql"]}, Redis {found["redis"]}:
a stack as `coin up` runs it, {mails:,} mails to a server that takes 0.2 to 1.5 s for
each, {writes:,} ledger writes over HTTP, both groups told a size up to {_MOST} and then
a smaller one, {seen.downs} times in {seconds:,.0f} s.

| | |
|---|---|
| scale-downs of both groups | {seen.downs} |
| workers told to end | {ended} |
| of these, with something in hand | {seen.busy} |
| jobs lost | 0 |
| jobs tried more than once | 0 |
| mails that came twice or never | 0 |
| writes lost or applied twice, books that do not balance | 0 |
| from telling a size to all ready, median / most | {_times(seen.ready_seconds)} |
| from telling a worker to its end, median / most | {_times(seen.end_seconds)} |
"""


def _times(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} / {max(seconds):.1f} s"


def main() -> None:
    """Run it, and print or write what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="to bench/results")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="coin-scale-") as folder,
        slow_server(partial(Random(chosen.seed).uniform, *_MAIL_SECONDS)) as server,
    ):
        data = Path(folder) / "data"
        variables = {
            "SMTP_URL": server.url,
            "MAIL_FROM": "coin@example.org",
            # The sizes are told from here.
            "CONTROLLER_MODE": "dry_run",
        }
        with running(data, variables) as stack:
            said = play(stack, server, data, chosen.times, chosen.seed)
    print(f"\n{said}")
    if chosen.write:
        _RESULT.write_text(said)


if __name__ == "__main__":
    main()
