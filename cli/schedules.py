"""`coin schedules`: what comes round by the clock, when it last ran, and when next."""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy.orm import Session

from cli import database
from cli.durations import ago, every, told
from cli.endpoints import data_option
from domain import jobs

_WELL: Final = "succeeded"

_Facts = Mapping[str, Any]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@data_option
def schedules(*, as_json: bool, data: Path) -> None:
    """List periodic jobs: what each does, how often, its last run and its next."""
    now = datetime.now(UTC)
    with database.transaction(database.settings(data)) as session:
        found = _schedules(session, now)
    if as_json:
        click.echo(json.dumps(found, indent=2, default=datetime.isoformat))
        return
    for line in _lines(found, now):
        click.echo(line)


def _schedules(session: Session, now: datetime) -> list[dict[str, Any]]:
    import tasks  # noqa: PLC0415  reads the environment, complete only now

    runs = jobs.last_runs(session)
    return [
        {
            "name": kind.name,
            "does": _does(kind.long),
            "every_seconds": kind.every_seconds,
            "last_run": runs[kind.name]._asdict() if kind.name in runs else None,
            "last_success_at": jobs.last_success(session, kind.name),
            "next_at": tasks.next_slot_at(kind, now),
            "overdue": kind.name not in runs
            or tasks.is_late(kind, last_run_at=runs[kind.name].at, now=now),
        }
        for kind in sorted(tasks.periodic(), key=lambda kind: kind.name)
    ]


def _does(handler: Any) -> str:
    """Return what a job does, as its handler says."""
    return (inspect.getdoc(handler) or "").partition("\n")[0]


def _lines(found: Sequence[_Facts], now: datetime) -> Iterator[str]:
    columns = max(len(one["name"]) for one in found)
    for one in found:
        often = every(one["every_seconds"])
        soon = told((one["next_at"] - now).total_seconds())
        ran = _ran(one, now)
        yield f"{one['name']:<{columns}}  {often:<18}{ran}, next in {soon}"
        yield f"    {one['does']}"


def _ran(one: _Facts, now: datetime) -> str:
    run = one["last_run"]
    if run is None:
        return click.style("never ran", fg="red")
    ran = f"{run['state']} {ago(run['at'], now)}"
    if run["problem"]:
        ran += f" ({run['problem'].get('detail')})"
    if run["state"] != _WELL and one["last_success_at"]:
        ran += f", {_WELL} {ago(one['last_success_at'], now)}"
    if run["state"] != _WELL or one["overdue"]:
        ran = click.style(ran, fg="red")
    return ran + (click.style(", overdue", fg="red") if one["overdue"] else "")
