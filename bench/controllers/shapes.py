"""Shapes of load, an hour each; the first five are those the field was compared on."""

import math
from collections.abc import Callable, Iterator
from itertools import groupby

from controller.traces import Span

HOUR = 3_600
SERVICE = 0.2

_Second = tuple[float, float, int]


def spans(
    rate: Callable[[int], float],
    service: Callable[[int], float] = lambda _: SERVICE,
    deaths: Callable[[int], int] = lambda _: 0,
) -> list[Span]:
    """Return an hour of seconds as spans; seconds that are alike become one."""
    seconds = ((rate(at), service(at), deaths(at)) for at in range(HOUR))
    return list(_joined(seconds))


def _joined(seconds: Iterator[_Second]) -> Iterator[Span]:
    for (rate, service, deaths), alike in groupby(seconds):
        length = sum(1 for _ in alike)
        yield Span(seconds=length, rate=rate, service=service, deaths=deaths)


def _burst(second: int, *begins: int) -> bool:
    """Say whether a minute that begins then is on."""
    return any(begin <= second < begin + 60 for begin in begins)


def _wave(second: int) -> float:
    return 1 - math.cos(2 * math.pi * (second // 15 * 15) / HOUR)


SHAPES = {
    "steady": spans(lambda _: 20),
    "step": spans(lambda s: 60 if s // (HOUR / 3) == 1 else 10),
    "spike": spans(lambda s: 150 if _burst(s, 1_800) else 10),
    "ramp": spans(lambda s: 5 + 75 * (1 - abs(2 * s / HOUR - 1))),
    "cron": spans(lambda s: 100 if _burst(s % 600, 0) else 8),
    "double_spike": spans(lambda s: 120 if _burst(s, 1_200, 1_500) else 10),
    "day": spans(lambda s: 30 * _wave(s)),
    "slow_leak": spans(lambda _: 20, lambda s: SERVICE * (1 + 4 * (s // 60) / 60)),
    "dead_workers": spans(lambda _: 20, deaths=lambda s: 3 if s == HOUR // 2 else 0),
    "slow_jobs": spans(
        lambda s: 2 if _burst(s, 1_800) else 5,
        lambda s: 10.0 if _burst(s, 1_800) else SERVICE,
    ),
    "trickle": spans(lambda _: 0.02),
    "flicker": spans(lambda s: 30 if s // 20 % 2 else 5),
}
