"""The policy: from what was measured to how many workers, and why. Nothing else.

Age is the target, not length: a long queue that moves is well. Up at once, down only
to the most that was needed lately, and what is missing never counts as idle. What only
differs by chance does not differ.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from controller import forecast, queueing
from controller.decision import Decision, Group, View
from controller.tick import TICK_SECONDS, Tick, arrival_rate, service_seconds, usable

VERSION: Final = "age-2"

STALE_SECONDS: Final = 30.0
# What counts as now; two, for one may have ended in the middle of a burst.
_NEWEST_TICKS: Final = 2
_RECENT_SECONDS: Final = 600.0
# What is usual, of arrivals; of service times it is that of all that is recent.
_MINUTE_SECONDS: Final = 60.0
# Standard deviations up to which a figure counts as the usual one.
_CHANCE: Final = 3.0
# Of the jobs, so many may wait longer than the target.
_LATE_SHARE: Final = 0.01

_RATES: Final = ("arrivals", "trend", "pattern")

_DEAD_BAND: Final = 0.1
_UP_FACTOR: Final = 16
_UP_STEP: Final = 48
_SMALL: Final = 2
_SMALL_SHARE: Final = 0.2
_CALM_SECONDS: Final = 600.0
_DOWN_SHARE: Final = 0.4
_WINDOW_SECONDS: Final = 90.0
_WINDOW_STARTS: Final = 6.0
_CLEARED_SECONDS: Final = 20.0
_CLEARED_SERVICES: Final = 3.0
_DOWN_APART_SECONDS: Final = 15.0
_FLAP_SECONDS: Final = 600.0


def decide(view: View) -> Decision:
    """Return how many workers the group should have now."""
    group, now, current = view.group, view.now, view.current
    recent = usable(view.ticks, since=now - _RECENT_SECONDS, now=now)
    past = [decision for decision in view.past if decision.at <= now]
    if not recent or now - recent[-1].at > STALE_SECONDS:
        return view.hold(_staleness(recent, now))
    service = _service(group, recent, now)
    needs = _needs(view, recent, service)
    if (aged := _aged(group, recent, past, current, now)) is not None:
        needs["age"] = aged
    need = max(needs.values())
    wanted = max(math.ceil(need - 1e-9), group.least)
    desired, slowed = _paced(view, wanted, recent[-1], service)
    desired, bounded = _bounded(group, desired, view.ceilings)
    return Decision(
        at=now,
        group=group.name,
        current=current,
        desired=desired,
        need=need,
        needs=needs,
        clamps=[*slowed, *bounded],
        reason=_reason(group, recent, needs, service),
    )


def _staleness(recent: Sequence[Tick], now: float) -> str:
    if not recent:
        return "held, nothing was measured"
    return f"held, the newest measurement is {now - recent[-1].at:.0f} s old"


def _service(group: Group, recent: Sequence[Tick], now: float) -> float:
    """Return what a job takes: of late, where that is no chance, or as it usually does.

    The spread of service times is taken to be as wide as their mean.
    """
    usual = service_seconds(recent, jobs_min=1)
    if usual is None:
        return group.service_seconds
    minute = _minute(recent, now)
    newest = service_seconds(minute, jobs_min=1)
    if newest is None:
        return usual
    deviation = usual / math.sqrt(sum(tick.finished for tick in minute))
    return newest if abs(newest - usual) > _CHANCE * deviation else usual


def _minute(recent: Sequence[Tick], now: float) -> Sequence[Tick]:
    return [tick for tick in recent if tick.at > now - _MINUTE_SECONDS]


def _needs(view: View, recent: Sequence[Tick], service: float) -> dict[str, float]:
    """Return workers by what they are needed for.

    By a rate of arrivals, so many that few wait; for the backlog, so many that it is
    gone within the target while others arrive.
    """
    group, newest = view.group, recent[-1]
    rates = _rates(view, recent)
    needs = {
        name: float(_workers_for(group, rate, service)) for name, rate in rates.items()
    }
    clearing = newest.ready / group.target_seconds
    backlog = (rates["arrivals"] + clearing) * service
    if clearing * service <= newest.running:
        # While jobs wait, who is there is at work: all of them will have begun within
        # the target, and that is no reason for more.
        backlog = min(backlog, view.current)
    return {**needs, "backlog": backlog}


def _workers_for(group: Group, rate: float, service: float) -> int:
    return queueing.workers_for(
        rate, service, wait=group.target_seconds, share=_LATE_SHARE, most=group.most
    )


def _rates(view: View, recent: Sequence[Tick]) -> dict[str, float]:
    """Return arrivals a second: those of now, of the trend, and of what recurs."""
    newest = recent[-_NEWEST_TICKS:]
    seconds = sum(tick.seconds for tick in newest)
    usual = arrival_rate(_minute(recent, view.now))
    arrivals = _beyond_chance(arrival_rate(newest), usual, seconds)
    horizon = view.group.start_seconds + TICK_SECONDS
    trend = forecast.trend([tick.rate for tick in recent], ahead=horizon / TICK_SECONDS)
    rates = {"arrivals": arrivals, "trend": _beyond_chance(trend, arrivals, seconds)}
    if view.pattern is not None:
        end = view.now + horizon + forecast.BIN_SECONDS
        rates["pattern"] = view.pattern.rate(view.now, end)
    return rates


def _beyond_chance(rate: float, usual: float, seconds: float) -> float:
    """Return the rate of so many seconds if few would differ as much by chance.

    Arrivals that know nothing of each other vary as Poisson's do: by the root of how
    many are expected.
    """
    differing = abs(rate - usual) * seconds > _CHANCE * math.sqrt(usual * seconds)
    return rate if differing else usual


def _aged(
    group: Group,
    recent: Sequence[Tick],
    past: Sequence[Decision],
    current: int,
    now: float,
) -> float | None:
    """Return a larger size when jobs are too old though nobody is still starting.

    As CoDel (RFC 8289) has it: for a whole interval, not for a moment.
    """
    if any(tick.oldest <= group.target_seconds for tick in recent[-_NEWEST_TICKS:]):
        return None
    settled = now - group.start_seconds - TICK_SECONDS
    if any(decision.direction > 0 and decision.at > settled for decision in past):
        return float(current)
    late = recent[-1].oldest / group.target_seconds
    return current * min(2.0, late) if current else 1.0


def _paced(
    view: View, wanted: int, newest: Tick, service: float
) -> tuple[int, list[str]]:
    """Return the next size on the way to the wanted one, and what slowed it."""
    group, now, current = view.group, view.now, view.current
    past = [decision for decision in view.past if decision.at <= now]
    moves = [decision for decision in past if decision.direction]
    if wanted > current:
        late = newest.oldest > group.target_seconds
        return _raised(wanted, current, moves, late=late, now=now)
    cleared = now - max(_CLEARED_SECONDS, _CLEARED_SERVICES * service)
    window = max(_WINDOW_SECONDS, _WINDOW_STARTS * group.start_seconds)
    lately = _lately(past, since=now - window, cleared=cleared)
    floor = max(wanted, lately, math.ceil(newest.running))
    small = _is_small(current - floor, current)
    if small:
        # Little is saved by it, and arrivals are never even: be sure.
        lately = _lately(past, since=now - _CALM_SECONDS, cleared=cleared)
        floor = max(floor, lately)
    if floor >= current:
        return current, _kept(wanted, lately, newest, current)
    if reason := _too_soon(view, moves, floor, service, small=small):
        return current, [reason]
    step = max(1, math.floor(_DOWN_SHARE * current))
    return max(floor, current - step), []


def _lately(past: Sequence[Decision], *, since: float, cleared: float) -> int:
    """Return the most workers lately needed for what arrived, or just now for all.

    A backlog is cleared once; what arrives comes again.
    """
    rates = [
        decision.needs.get(name, 0.0)
        for decision in past
        if decision.at > since
        for name in _RATES
    ]
    needs = [decision.need for decision in past if decision.at > cleared]
    return math.ceil(max([*rates, *needs], default=0.0) - 1e-9)


def _kept(wanted: int, lately: int, newest: Tick, current: int) -> list[str]:
    """Return why as many stay as there are, though fewer are wanted."""
    if wanted >= current:
        return []
    if lately >= current:
        return [f"{lately} were needed lately"]
    return [f"{newest.running:.0f} are at work"]


def _raised(
    wanted: int, current: int, moves: Sequence[Decision], *, late: bool, now: float
) -> tuple[int, list[str]]:
    if wanted - current < _DEAD_BAND * current:
        return current, ["within the dead band"]
    small = _is_small(wanted - current, current)
    falling = bool(_turns(moves, now)) and moves[-1].direction < 0
    if small and falling and not late:
        return current, ["turned lately, and nobody waits long"]
    bound = max(current + _UP_STEP, current * _UP_FACTOR)
    if wanted > bound:
        return bound, [f"{wanted} wanted, one step goes to {bound}"]
    return wanted, []


def _is_small(change: int, current: int) -> bool:
    return change < max(_SMALL, _SMALL_SHARE * current)


def _too_soon(
    view: View, moves: Sequence[Decision], floor: int, service: float, *, small: bool
) -> str | None:
    """Return why the size may not fall now, if it may not."""
    now = view.now
    if moves and moves[-1].at > now - _DOWN_APART_SECONDS:
        return f"no step down within {_DOWN_APART_SECONDS:.0f} s of another"
    turned = _turns(moves, now)
    if not turned or moves[-1].direction < 0:
        return None
    if small or len(turned) > 1:
        return "turned lately"
    # More may be needed again while that turn is remembered, unless it is known when.
    until = turned[0] + _FLAP_SECONDS
    rises = view.pattern is None or (
        _workers_for(view.group, view.pattern.rate(now, until), service) > floor
    )
    return "turned lately, and may be needed again" if rises else None


def _turns(moves: Sequence[Decision], now: float) -> list[float]:
    """Return when, of late, it moved against one of the ten minutes before."""
    return [
        move.at
        for before, move in pairwise(moves)
        if before.direction != move.direction
        and before.at > move.at - _FLAP_SECONDS
        and move.at > now - _FLAP_SECONDS
    ]


def _bounded(
    group: Group, desired: int, ceilings: Mapping[str, int]
) -> tuple[int, list[str]]:
    """Return the size within its bounds, and those that bit."""
    clamps = []
    for what, most in {**ceilings, "configuration": group.most}.items():
        if desired > most:
            clamps.append(f"{what} allows {most}")
    desired = min([desired, group.most, *ceilings.values()])
    if desired < group.least:
        desired = group.least
        clamps.append(f"configuration asks for {group.least}")
    return desired, clamps


def _reason(
    group: Group, recent: Sequence[Tick], needs: Mapping[str, float], service: float
) -> str:
    newest, rate = recent[-1], arrival_rate(recent[-_NEWEST_TICKS:])
    by = max(_RATES, key=lambda name: needs.get(name, -1.0))
    load = f"{rate:.3g} jobs/s × {1000 * service:.3g} ms"  # noqa: RUF001
    parts = [f"{load} = {rate * service:.1f} workers, {needs[by]:.0f} by {by}"]
    if newest.oldest > group.target_seconds:
        target = f"target {group.target_seconds:g} s"
        parts.insert(0, f"oldest job {newest.oldest:.1f} s > {target}")
    if newest.ready:
        cleared = f"{newest.ready:.0f} queued in {group.target_seconds:g} s"
        parts.append(f"{needs['backlog']:.1f} to clear {cleared}")
    return "; ".join(parts)
