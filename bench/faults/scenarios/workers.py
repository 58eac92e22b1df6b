"""Workers are killed, stopped and frozen."""

import signal
import time
from contextlib import suppress

import psutil

from bench.faults import programs
from bench.faults.attack import Attack, alive
from bench.faults.waiting import until
from domain.workers import LEDGER

_STOP_SECONDS = 60
_BUSY_SECONDS = 10.0
_AT_ONCE = 3
_LEASE_SECONDS = 10
_WAIT_SECONDS = 15.0

_BUSY = """
    SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND state <> 'idle'
      AND datname = current_database()
"""
_LONGEST = """
    SELECT max(extract(epoch FROM finished_at - submitted_at)) FROM jobs
    WHERE id = ANY(CAST(:ids AS uuid[]))
"""


def killed(attack: Attack) -> None:
    """SIGKILL a random process of the ledger's worker, parent or child."""
    for _ in range(attack.times(50, 4)):
        with suppress(psutil.NoSuchProcess):  # it may have ended by itself
            victim = attack.chance.choice(attack.family())
            with attack.fault(), attack.recovering():
                victim.kill()
        attack.pause(attack.chance.uniform(0, 0.3))


def pool_killed(attack: Attack) -> None:
    """SIGKILL the pool that workers are forked from; nobody of it may stay."""
    for _ in range(attack.times(10, 2)):
        pool = attack.process("workers")
        forked = pool.children(recursive=True)
        attack.strike("workers")
        until(
            lambda left=forked: not any(map(alive, left)),
            _STOP_SECONDS,
            "the end of those it had forked",
        )
        attack.pause(attack.chance.uniform(0, 0.3))


def pollers_killed(attack: Attack) -> None:
    """SIGKILL the ledger's worker that polls."""
    for _ in range(attack.times(50, 2)):
        attack.strike(LEDGER.name)
        attack.pause(attack.chance.uniform(0, 0.3))


def pollers_stopped(attack: Attack) -> None:
    """SIGTERM the ledger's worker that polls, in the middle of its work."""
    for _ in range(attack.times(30, 2)):
        attack.strike(LEDGER.name, signal.SIGTERM)
        attack.pause(attack.chance.uniform(0, 0.3))


def stopped_gracefully(attack: Attack) -> None:
    """SIGTERM workers in the middle of their work."""
    attack.strike(LEDGER.name, signal.SIGTERM)
    left = attack.times(99, 2)
    slowest = 0.0
    while left > 0:
        with programs.workers(attack, min(left, _AT_ONCE)) as workers:
            attack.pause(attack.chance.uniform(0, 0.5))
            began = time.monotonic()
            with attack.fault(), attack.recovering():
                for worker in workers:
                    worker.terminate()
            codes = [worker.wait(_STOP_SECONDS) for worker in workers]
            slowest = max(slowest, time.monotonic() - began)
        if any(codes):
            raise AssertionError(f"a worker ended with {codes}")
        left -= len(workers)
        attack.count += len(workers) - 1
    attack.notes.append(f"slowest stop, recovery included, {slowest:.1f} s")


def frozen(attack: Attack) -> None:
    """SIGSTOP the worker in mid-batch until past its lease, beside another; go on."""
    with programs.worker(attack):
        family = attack.family()
        # A lease is over after ten seconds, wherever the worker has one.
        seconds = _LEASE_SECONDS + attack.times(10, 1)
        with attack.fault():
            until(lambda: _stop_busy(attack, family), _BUSY_SECONDS, "a busy worker")
            try:
                attack.pause(seconds)
            finally:
                _signal(family, signal.SIGCONT)
        with attack.recovering():
            pass
    jobs = [one.job for one in attack.load.accepted]
    longest = float(attack.books.ask(_LONGEST, ids=jobs)[0][0])
    if longest > _WAIT_SECONDS:
        raise AssertionError(f"a lane waited {longest:.0f} s for the frozen worker")
    attack.notes.append(f"longest wait {longest:.1f} s")


def _stop_busy(attack: Attack, family: list[psutil.Process]) -> bool:
    """Stop them all; say whether one of them holds a lane."""
    _signal(family, signal.SIGSTOP)
    attack.pause(0.05)  # whoever else holds one lets go meanwhile
    if attack.books.ask(_BUSY):
        return True
    _signal(family, signal.SIGCONT)
    return False


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
