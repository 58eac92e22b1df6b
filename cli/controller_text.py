"""What `coin controller` tells people: one screen, aligned, as wide as the terminal."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click

from cli.durations import ago, told

_UNKNOWN: Final = "?"
_ROW: Final = "{:<10}{:<11}{:<9}{:>6}{:>6}{:>9}{:>9}{:>9}"
_HEAD: Final = _ROW.format(
    *("group", "mode", "size", "alive", "busy", "waiting", "oldest", "target")
)
_FACT: Final = "{:<12}{}"

_Facts = Mapping[str, Any]


def status(found: _Facts, now: datetime) -> Iterator[str]:
    """Yield how it stands: who decides, each group, what stands out."""
    yield _FACT.format("controller", _leader(found, now))
    yield _FACT.format("measured", _measured(found, now))
    yield ""
    yield _HEAD
    for group in found["groups"]:
        yield _group(group)
    yield ""
    for group in found["groups"]:
        yield from _why(group, now)
    alarms = found["alarms"]
    if alarms is None:
        yield _FACT.format("alarms", _UNKNOWN)
    for alarm in alarms or ():
        yield click.style(_FACT.format("alarm", alarm), fg="red")


def _leader(found: _Facts, now: datetime) -> str:
    if found["silence"]:
        last = f"; the last was {found['controller']}" if found["controller"] else ""
        return click.style(f"{found['silence']}{last}", fg="red")
    return f"{found['controller']} decided {ago(found['decided_at'], now)}"


def _measured(found: _Facts, now: datetime) -> str:
    at = found["measured_at"]
    return ago(at, now) if at else click.style("never", fg="red")


def _group(group: _Facts) -> str:
    decision = group["decision"]
    oldest, target = group["oldest_seconds"], group["target_seconds"]
    row = _ROW.format(
        group["name"],
        decision["mode"] if decision else "-",
        _sizes(decision) if decision else _UNKNOWN,
        group["alive"],
        group["busy"],
        _UNKNOWN if group["waiting"] is None else group["waiting"],
        _UNKNOWN if oldest is None else f"{oldest:.1f} s",
        f"{target:g} s",
    )
    late = oldest is not None and oldest > target
    return click.style(row, fg="red") if late else row


def _sizes(decision: _Facts) -> str:
    current, desired = decision["current"], decision["desired"]
    known = _UNKNOWN if current is None else f"{current}"
    return known if desired in {None, current} else f"{known} → {desired}"


def _why(group: _Facts, now: datetime) -> Iterator[str]:
    """Yield the last sentence, and the order that stands, over as many lines as due."""
    told_of = []
    if decision := group["decision"]:
        told_of.append(f"#{decision['id']} {decision['sentence']}")
    if group["order"]:
        told_of.append(f"   {group['name']}: {_ordered(group['order'], now)}")
    for text in told_of:
        yield from _folded(text)


def _ordered(order: _Facts, now: datetime | None = None) -> str:
    """Return an order in words; with the time, how long it has left."""
    size = order["size"]
    what = "nothing changes" if size is None else f"{size} workers"
    end = "released"
    if order["until"]:
        left = now and f" (for {told((order['until'] - now).total_seconds())} more)"
        end = f"{_time(order['until'])}{left or ''}"
    reason = f": {order['reason']}" if order["reason"] else ""
    given = f"order {order['id']} of {order['given_by']}"
    return f"{what} until {end}, {given}{reason}"


def history(found: Sequence[_Facts]) -> Iterator[str]:
    """Yield a line for each decision, or for quiet ones that were made one."""
    if not found:
        yield "nothing was decided yet"
    for decision in found:
        quiet = f"({_cycles(decision)}) " if decision["cycles"] > 1 else ""
        yield _cut(
            f"#{decision['id']:<7} {_time(decision['at'])}  {decision['mode']:<10}"
            f"{quiet}{decision['sentence']}"
        )


def explanation(found: _Facts) -> Iterator[str]:
    """Yield all of one decision, what was needed most first."""
    yield from _folded(found["sentence"])
    yield ""
    over = f", {_cycles(found)} alike" if found["cycles"] > 1 else ""
    yield _FACT.format("decided", f"{_time(found['at'])} UTC{over}")
    yield _FACT.format("by", f"{found['controller']} in {found['ms']:.0f} ms")
    yield _FACT.format("mode", found["mode"])
    yield _FACT.format("policy", found["policy"])
    yield _FACT.format("target", found["target"])
    yield _FACT.format("size", _sizes(found))
    yield from _needs(found["needs"])
    yield from _several("clamps", found["clamps"])
    yield _FACT.format("told", "nothing" if found["told"] is None else found["told"])
    yield _FACT.format("result", found["result"])
    if found["order"]:
        yield _FACT.format("order", _ordered(found["order"]))
    yield from _several("inputs", sorted(_flat(found["inputs"])))


def _needs(needs: Mapping[str, float]) -> Iterator[str]:
    most = max(needs.values(), default=0.0)
    rows = [
        f"{name:<10}{workers:>8.1f}{'  won' if workers == most else ''}"
        for name, workers in sorted(needs.items(), key=lambda need: -need[1])
    ]
    yield from _several("needs", rows)


def _several(name: str, values: Sequence[str]) -> Iterator[str]:
    for value in values or ("none",):
        yield _FACT.format(name, value)
        name = ""


def _flat(value: Any, path: str = "") -> Iterator[str]:
    """Yield each figure of nested ones under its whole name."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    else:
        shown = f"{value:g}" if isinstance(value, float) else value
        yield f"{path} = {shown}"


def _cycles(decision: _Facts) -> str:
    seconds = (decision["until"] - decision["at"]).total_seconds()
    return f"{decision['cycles']} cycles, {told(seconds)}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _folded(text: str) -> list[str]:
    """Return a text over as many lines as the terminal needs."""
    return textwrap.wrap(text, _columns(), subsequent_indent="   ")


def _cut(line: str) -> str:
    """Return as much of a line as the terminal shows."""
    columns = _columns()
    return f"{line[: columns - 1]}…" if len(line) > columns else line


def _columns() -> int:
    """Return how wide the terminal is; a pipe takes everything."""
    columns = shutil.get_terminal_size(fallback=(0, 0)).columns
    return columns or sys.maxsize
