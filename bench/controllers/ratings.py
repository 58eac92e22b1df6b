"""Real arrivals: the peer ratings of a community of traders, a day played in seconds.

The public "Bitcoin Alpha" trust network tells on which day each rating was given, not
when in it; and no more than 43 a second come of it when a day takes five.
"""

import csv
from collections import Counter
from pathlib import Path

from bench.controllers.plays import POLICIES, group
from controller.outcome import Outcome
from controller.simulate import simulate
from controller.traces import Span

DAY = 86_400
DAY_SECONDS = 5.0
# So that 43 a second keep as many workers busy.
SERVICE = 1.0


def trace(path: Path) -> list[Span]:
    """Return the days from the first to the last rating."""
    with path.open(newline="") as file:
        days = Counter(int(row[3]) // DAY for row in csv.reader(file))
    return [
        Span(seconds=DAY_SECONDS, rate=days[day] / DAY_SECONDS, service=SERVICE)
        for day in range(min(days), max(days) + 1)
    ]


def play(policy: str, path: Path, start_seconds: float, seed: int) -> Outcome:
    """Play all of it, with nothing learnt before."""
    chosen = group(start_seconds, SERVICE)
    return simulate(
        trace(path),
        POLICIES[policy](chosen),
        start_seconds=start_seconds,
        size=chosen.least,
        seed=seed,
    )
