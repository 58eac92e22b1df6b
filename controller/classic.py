"""The rules of the documents this product grew out of, to be set beside ours.

A backlog above 100, or a processor that is busy, adds one worker; one that idles while
nothing waits takes one away; ten minutes pass between two actions.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from controller.decision import Decision, View
from controller.policy import STALE_SECONDS
from controller.tick import HOUR_SECONDS, Host, usable
from domain.workload import HostLoad

VERSION: Final = "classic-1"

BACKLOG_HIGH: Final = 100
BACKLOG_LOW: Final = 10
CPU_HIGH: Final = 80.0
CPU_RISING: Final = 60.0
CPU_IDLE: Final = 30.0
RISE: Final = 1.5
MEMORY_HIGH: Final = 85.0
SAMPLES_MIN: Final = 10
# Beyond these somebody should look.
ALARMS: Final = {"cpu": 95.0, "memory": 90.0, "disk": 90.0}

RECENT_SECONDS: Final = 600.0
COOLDOWN_SECONDS: Final = 600.0


def decide(view: View) -> Decision:
    """Return one worker more, one less, or as many as now."""
    now = view.now
    hour = usable(view.hosts, since=now - HOUR_SECONDS, now=now)
    recent = usable(view.hosts, since=now - RECENT_SECONDS, now=now)
    ticks = usable(view.ticks, since=now - RECENT_SECONDS, now=now)
    if not ticks or not recent or now - ticks[-1].at > STALE_SECONDS:
        return view.hold("held, nothing was measured lately")
    step, reason = _step(ticks[-1].ready, _cpu(hour), _cpu(recent))
    desired, clamps = view.current + step, []
    if any(d.direction and d.at > now - COOLDOWN_SECONDS for d in view.past) and step:
        desired, clamps = view.current, ["no second action within ten minutes"]
    most = min([view.group.most, *view.ceilings.values()])
    bounded = max(view.group.least, min(most, desired))
    if bounded != desired:
        clamps = [f"{view.group.least} to {most} are allowed"]
    return Decision(
        at=now,
        group=view.group.name,
        current=view.current,
        desired=bounded,
        need=float(view.current + step),
        clamps=clamps,
        reason="; ".join([reason, *_alarming(recent[-1]), *advice(hour)]),
    )


def _step(ready: float, hour: float, recent: float) -> tuple[int, str]:
    if ready > BACKLOG_HIGH:
        return 1, f"{ready:.0f} jobs wait, more than {BACKLOG_HIGH}"
    if hour > CPU_HIGH:
        return 1, f"processor {hour:.0f} % over the hour, more than {CPU_HIGH:.0f} %"
    if recent > CPU_RISING and recent > RISE * hour:
        return 1, f"processor rose from {hour:.0f} % to {recent:.0f} %"
    if hour < CPU_IDLE and ready < BACKLOG_LOW:
        return -1, f"processor {hour:.0f} % over the hour, and {ready:.0f} jobs wait"
    return 0, f"processor {hour:.0f} % over the hour, and {ready:.0f} jobs wait"


def advice(hosts: Sequence[Host]) -> list[str]:
    """Return what somebody should look after, however many workers there are."""
    found = []
    if len(hosts) < SAMPLES_MIN:
        found.append(f"advice: measure more often, {len(hosts)} samples in an hour")
    if hosts and fmean(host.memory for host in hosts) > MEMORY_HIGH:
        found.append("advice: give it more memory")
    return found


def alarms(host: Host | HostLoad) -> list[str]:
    """Return which of the host's resources are nearly used up."""
    return [
        f"{name} {getattr(host, name):.0f} % is above {most:.0f} %"
        for name, most in ALARMS.items()
        if getattr(host, name) > most
    ]


def _alarming(host: Host) -> list[str]:
    return [f"alarm: {one}" for one in alarms(host)]


def _cpu(hosts: Sequence[Host]) -> float:
    return fmean(host.cpu for host in hosts)
