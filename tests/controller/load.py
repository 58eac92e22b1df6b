"""Ticks as a group of queues might have measured them."""

from controller.decision import Group, View
from controller.tick import Host, Tick

NOW = 1_000_000.0
GROUP = Group(
    name="jobs",
    target_seconds=2.0,
    least=1,
    most=40,
    start_seconds=1.0,
    service_seconds=0.2,
)


def tick(  # noqa: PLR0913
    at, *, rate=20.0, service=0.2, ready=0, oldest=0.0, running=4, seconds=5.0
):
    """Return a tick in which as many jobs were finished as arrived."""
    count = rate * seconds
    return Tick(
        at=at,
        seconds=seconds,
        arrived=count,
        finished=count,
        busy=count * service,
        ready=ready,
        running=running,
        oldest=oldest,
    )


def ticks(count=120, *, until=NOW, **fields):
    """Return so many alike, the last of which ended at `until`."""
    return [tick(until - 5.0 * back, **fields) for back in reversed(range(count))]


def hosts(count=120, *, until=NOW, cpu=50.0, memory=50.0, disk=50.0):
    """Return as many looks at the host."""
    return [
        Host(at=until - 5.0 * back, cpu=cpu, memory=memory, disk=disk)
        for back in reversed(range(count))
    ]


def view(measured=None, *, current=5, now=NOW, group=GROUP, **fields):
    """Return what a policy sees; unless told, a steady load of four workers."""
    measured = ticks(until=now) if measured is None else measured
    return View(group=group, now=now, current=current, ticks=measured, **fields)
