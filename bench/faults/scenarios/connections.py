"""The database's connections run out, and are ended from its side."""

from contextlib import ExitStack

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from bench.faults.attack import Attack, Impossible

_CONNECTIONS_MAX = 200
_OURS = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'peoples-coin' AND datname = current_database()
      AND (:idle OR state <> 'idle')
"""


def used_up(attack: Attack) -> None:
    """Take every connection there is, the stack's own too."""
    with ExitStack() as held, attack.fault():
        first = _take(attack, held)
        pids = [row[0] for row in first.execute(sa.text(_OURS), {"idle": True})]
        taken = 1 + _take_all(attack, held)
        for pid in pids:
            first.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            taken += _take_all(attack, held)
        attack.pause(attack.times(5, 2))
        taken += _take_all(attack, held)
    with attack.recovering():
        pass
    attack.notes.append(f"{taken} connections taken")


def _take(attack: Attack, held: ExitStack) -> sa.Connection:
    return held.enter_context(attack.books.engine.connect())


def _take_all(attack: Attack, held: ExitStack) -> int:
    for taken in range(_CONNECTIONS_MAX):
        try:
            _take(attack, held)
        except OperationalError:
            return taken
    raise Impossible(f"the server allows more than {_CONNECTIONS_MAX} connections")


def ended(attack: Attack) -> None:
    """End a random connection of API or worker in mid-statement."""
    busy = 0
    with attack.fault():
        for _ in range(attack.times(60, 10)):
            busy += end_one(attack)
            attack.pause(attack.chance.uniform(0, 0.3))
    with attack.recovering():
        pass
    attack.count = attack.times(60, 10)
    attack.notes.append(f"{busy} of them busy")


def end_one(attack: Attack) -> bool:
    """End a connection, a busy one if there is one; say whether it was."""
    busy = attack.books.ask(_OURS, idle=False)
    pids = [row[0] for row in busy or attack.books.ask(_OURS, idle=True)]
    if pids:
        pid = attack.chance.choice(sorted(pids))
        attack.books.ask("SELECT pg_terminate_backend(:pid)", pid=pid)
    return bool(busy)
