"""The API, PostgreSQL and beat end and are started again."""

import signal
from contextlib import ExitStack

from bench.faults import programs
from bench.faults.attack import Attack
from bench.faults.waiting import until

_SLOT_SECONDS = 5
_TICKS = """
    SELECT count(*), count(DISTINCT idempotency),
           count(*) FILTER (WHERE state = 'succeeded') FROM jobs
    WHERE kind = 'maintenance.reconcile' AND submitted_at > now() - interval '12 s'
"""


def api_killed(attack: Attack) -> None:
    """SIGKILL the API."""
    for _ in range(attack.times(3)):
        attack.strike("web")
        attack.pause(attack.chance.uniform(0, 1.0))


def postgres_restarted(attack: Attack) -> None:
    """Restart PostgreSQL: once told to (SIGINT), once as in a crash (SIGQUIT)."""
    attack.strike("postgres", signal.SIGINT)
    if not attack.quick:
        attack.pause(attack.chance.uniform(0, 1.0))
        attack.strike("postgres", signal.SIGQUIT)


def beats(attack: Attack) -> None:
    """SIGKILL beat, start it twice at once more, and flush every doorbell meanwhile."""
    attack.strike("beat")
    with ExitStack() as held:
        for number in range(2):
            held.enter_context(programs.beat(attack, number))
        with attack.fault():
            attack.pause(attack.times(3 * _SLOT_SECONDS, _SLOT_SECONDS))
        with attack.recovering():
            attack.flush()

        def ticked() -> bool:
            return bool(attack.books.ask(_TICKS)[0][2])

        until(ticked, 3 * _SLOT_SECONDS, "a periodic job")
        stored, slots, _ = attack.books.ask(_TICKS)[0]
        if stored != slots:
            raise AssertionError(f"{stored} periodic jobs in {slots} slots")
    attack.notes.append(f"three beats, {stored} jobs in {slots} slots")
