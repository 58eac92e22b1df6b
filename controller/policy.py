"""The policy: from what was measured to how many workers, and why. Nothing else.

Age is the target, not length: a long queue that moves is well. Up at once, down only
to the most that was needed lately, and what is missing never counts as idle.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from controller import forecast, queueing
from controller.decision import Decision, Group, View, turns
from controller.forecast import Pattern
from controller.tick import Tick, arrival_rate, service_seconds, usable

VERSION: Final = "age-1"

TICK_SECONDS: Final = 5.0
STALE_SECONDS: Final = 30.0
# What counts as now; two, for one may have ended in the middle of a burst.
_NEWEST_TICKS: Final = 2
_RECENT_SECONDS: Final = 600.0
# A measured service time needs so many jobs: of the last minute, else of ten.
_MINUTE_SECONDS: Final = 60.0
_JOBS_MIN: Final = 20
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
_DOWN_APART_SECONDS: Final = 15.0
_FLAP_SECONDS: Final = 600.0
_TURNS_MAX: Final = 2


def decide(view: View) -> Decision:
    """Return how many workers the group should have now."""
    group, now, current = view.group, view.now, view.current
    recent = usable(view.ticks, since=now - _RECENT_SECONDS, now=now)
    past = [decision for decision in view.past if decision.at <= now]
    if not recent or now - recent[-1].at > STALE_SECONDS:
        return view.hold(_staleness(recent, now))
    service = _service(group, recent, now)
    needs = _needs(group, recent, service, view.pattern, now)
    if (aged := _aged(group, recent, past, current, now)) is not None:
        needs["age"] = aged
    need = max(needs.values())
    wanted = max(math.ceil(need - 1e-9), group.least)
    late = recent[-1].oldest > group.target_seconds
    desired, slowed = _paced(view, wanted, late=late)
    desired, bounded = _bounded(group, desired, view.ceilings)
    return Decision(
        at=now,
        group=group.name,
        current=current,
        desired=desired,
        need=need,
        needs=needs,
        clamps=[*slowed, *bounded],
        reason=_reason(group, recent[-1], needs, service),
    )


def _staleness(recent: Sequence[Tick], now: float) -> str:
    if not recent:
        return "held, nothing was measured"
    return f"held, the newest measurement is {now - recent[-1].at:.0f} s old"


def _service(group: Group, recent: Sequence[Tick], now: float) -> float:
    minute = [tick for tick in recent if tick.at > now - _MINUTE_SECONDS]
    return (
        service_seconds(minute, jobs_min=_JOBS_MIN)
        or service_seconds(recent, jobs_min=1)
        or group.service_seconds
    )


def _needs(
    group: Group,
    recent: Sequence[Tick],
    service: float,
    pattern: Pattern | None,
    now: float,
) -> dict[str, float]:
    """Return workers by what they are needed for.

    By a rate of arrivals, so many that few wait; for the backlog, so many that it is
    gone within the target while others arrive.
    """
    horizon = group.start_seconds + TICK_SECONDS
    rates = {
        "arrivals": arrival_rate(recent[-_NEWEST_TICKS:]),
        "trend": forecast.trend(
            [tick.rate for tick in recent], ahead=horizon / TICK_SECONDS
        ),
    }
    if pattern is not None:
        end = now + horizon + forecast.BIN_SECONDS
        rates["pattern"] = pattern.rate(now, end)
    needs = {
        name: float(
            queueing.workers_for(
                rate,
                service,
                wait=group.target_seconds,
                share=_LATE_SHARE,
                most=group.most,
            )
        )
        for name, rate in rates.items()
    }
    clearing = recent[-1].ready / group.target_seconds
    return {**needs, "backlog": (rates["arrivals"] + clearing) * service}


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


def _paced(view: View, wanted: int, *, late: bool) -> tuple[int, list[str]]:
    """Return the next size on the way to the wanted one, and what slowed it."""
    group, now, current = view.group, view.now, view.current
    past = [decision for decision in view.past if decision.at <= now]
    if wanted > current:
        return _raised(wanted, current, past, late=late, now=now)
    window = max(_WINDOW_SECONDS, _WINDOW_STARTS * group.start_seconds)
    floor = max(wanted, _lately(past, since=now - window, now=now))
    small = _is_small(current - floor, current)
    if small:
        # Little is saved by it, and arrivals are never even: be sure.
        floor = max(floor, _lately(past, since=now - _CALM_SECONDS, now=now))
    if floor >= current:
        held = floor > wanted
        return current, [f"{floor} were needed lately"] if held else []
    if reason := _too_soon(past, now, small=small):
        return current, [reason]
    step = max(1, math.floor(_DOWN_SHARE * current))
    return max(floor, current - step), []


def _lately(past: Sequence[Decision], *, since: float, now: float) -> int:
    """Return the most workers lately needed for what arrived, or just now for all.

    A backlog is cleared once; what arrives comes again.
    """
    rates = [
        decision.needs.get(name, 0.0)
        for decision in past
        if decision.at > since
        for name in _RATES
    ]
    needs = [d.need for d in past if d.at > now - _CLEARED_SECONDS]
    return math.ceil(max([*rates, *needs], default=0.0) - 1e-9)


def _raised(
    wanted: int, current: int, past: Sequence[Decision], *, late: bool, now: float
) -> tuple[int, list[str]]:
    if wanted - current < _DEAD_BAND * current:
        return current, ["within the dead band"]
    small = _is_small(wanted - current, current)
    if small and not late and _flaps(past, -1, now, turns_max=_TURNS_MAX):
        return current, ["turned often in ten minutes, and nobody waits long"]
    bound = max(current + _UP_STEP, current * _UP_FACTOR)
    if wanted > bound:
        return bound, [f"{wanted} wanted, one step goes to {bound}"]
    return wanted, []


def _is_small(change: int, current: int) -> bool:
    return change < max(_SMALL, _SMALL_SHARE * current)


def _too_soon(past: Sequence[Decision], now: float, *, small: bool) -> str | None:
    """Return why the size may not fall now, if it may not."""
    moves = [decision for decision in past if decision.direction]
    if moves and moves[-1].at > now - _DOWN_APART_SECONDS:
        return f"no step down within {_DOWN_APART_SECONDS:.0f} s of another"
    # Room is left for the turn up that may follow.
    if _flaps(past, 1, now, turns_max=_TURNS_MAX - (1 if small else 0)):
        return "turned often in ten minutes"
    return None


def _flaps(
    past: Sequence[Decision], direction: int, now: float, *, turns_max: int
) -> bool:
    """Say whether leaving this direction now would be one turn too many."""
    moves = [decision for decision in past if decision.direction]
    turned = [at for at in turns(moves) if at > now - _FLAP_SECONDS]
    return bool(turned) and (
        moves[-1].direction == direction and len(turned) >= turns_max
    )


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
    group: Group, newest: Tick, needs: Mapping[str, float], service: float
) -> str:
    by = max(_RATES, key=lambda name: needs.get(name, -1.0))
    load = f"{newest.rate:.3g} jobs/s × {1000 * service:.3g} ms"  # noqa: RUF001
    parts = [f"{load} = {newest.rate * service:.1f} workers, {needs[by]:.0f} by {by}"]
    if newest.oldest > group.target_seconds:
        target = f"target {group.target_seconds:g} s"
        parts.insert(0, f"oldest job {newest.oldest:.1f} s > {target}")
    if newest.ready:
        cleared = f"{newest.ready:.0f} queued in {group.target_seconds:g} s"
        parts.append(f"{needs['backlog']:.1f} to clear {cleared}")
    return "; ".join(parts)
