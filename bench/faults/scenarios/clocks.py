"""The clock of an API and of a worker steps back by an hour."""

from bench.faults import programs
from bench.faults.attack import Attack

_AFTER_SECONDS = 3.0
_WRONG = """
    SELECT count(*) FILTER (WHERE submitted_at < now() - interval '30 min'),
           count(*) FILTER (WHERE finished_at < now() - interval '30 min')
    FROM jobs WHERE application IS NOT NULL
"""


def stepped_back(attack: Attack) -> None:
    """Step the clock of a second API and a second worker back by an hour."""
    with (
        programs.api(attack, clock_after=_AFTER_SECONDS) as address,
        programs.worker(attack, clock_after=_AFTER_SECONDS),
        attack.fault(),
    ):
        attack.load.use([attack.load.addresses[0], address])
        attack.pause(_AFTER_SECONDS + attack.times(8, 3))
        with attack.recovering():
            attack.load.use(attack.load.addresses[:1])
    submitted, finished = attack.books.ask(_WRONG)[0]
    if not (submitted and finished):
        raise AssertionError("the wrong clock was never used")
    attack.notes.append(f"{submitted} submitted and {finished} applied in the past")
