"""Shapes of load, an hour each; the first five are those the field was compared on."""

import math
from collections.abc import Callable, Iterator

from controller.traces import Span

HOUR = 3_600
SERVICE = 0.2


def spans(
    rate: Callable[[int], float],
    service: Callable[[int], float] = lambda _: SERVICE,
    deaths: Callable[[int], int] = lambda _: 0,
) -> list[Span]:
    """Return an hour of seconds as spans; seconds that are alike become one."""
    return list(_joined(rate, service, deaths))


def _joined(rate, service, deaths) -> Iterator[Span]:
    begin, last = 0, None
    for second in range(HOUR + 1):
        this = second < HOUR and (rate(second), service(second), deaths(second))
        if this == last and not (this and this[2]):
            continue
        if last:
            yield Span(
                seconds=second - begin, rate=last[0], service=last[1], deaths=last[2]
            )
        begin, last = second, this


SHAPES = {
    "steady": spans(lambda _: 20),
    "step": spans(lambda s: 60 if 1_200 <= s < 2_400 else 10),
    "spike": spans(lambda s: 150 if 1_800 <= s < 1_860 else 10),
    "ramp": spans(lambda s: 5 + 75 * (1 - abs(s - 1_800) / 1_800)),
    "cron": spans(lambda s: 100 if s % 600 < 60 else 8),
    "double_spike": spans(
        lambda s: 120 if 1_200 <= s < 1_260 or 1_500 <= s < 1_560 else 10
    ),
    "day": spans(lambda s: 30 * (1 - math.cos(2 * math.pi * (s // 15 * 15) / HOUR))),
    "slow_leak": spans(lambda _: 20, lambda s: SERVICE * (1 + 4 * (s // 60) / 60)),
    "dead_workers": spans(lambda _: 20, deaths=lambda s: 3 * (s == 1_800)),
    "slow_jobs": spans(
        lambda s: 2 if 1_800 <= s < 1_860 else 5,
        lambda s: 10.0 if 1_800 <= s < 1_860 else SERVICE,
    ),
    "trickle": spans(lambda _: 0.02),
    "flicker": spans(lambda s: 30 if s // 20 % 2 else 5),
}
