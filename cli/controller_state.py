"""`coin controller status`, `explain` and `history`: how it stands, and why."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy.orm import Session

from cli import controller_text, database
from cli.durations import told
from cli.endpoints import data_option
from controller import classic
from controller.policy import STALE_SECONDS
from controller.tick import TICK_SECONDS
from domain import scaling, workload
from domain.scaling import ControllerAction, ControllerOrder
from domain.scaling.keeping import PAGE_MAX
from domain.workers import GROUPS, WorkerGroup, group_of
from domain.workload import Crew, Sample

# Cycles that may be missed before nobody counts as deciding.
_CYCLES_MISSED: Final = 3
_ID_MAX: Final = 2**63 - 1

_json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.command()
@_json_option
@data_option
def status(*, as_json: bool, data: Path) -> None:
    """Show sizes, workers, how late jobs are, and who decides."""
    now = datetime.now(UTC)
    with database.transaction(database.settings(data)) as session:
        found = _status(session, now)
    _show(controller_text.status(found, now), found, as_json=as_json)


@click.command()
@click.argument("action_id", metavar="ID", type=click.IntRange(1, _ID_MAX))
@_json_option
@data_option
def explain(action_id: int, *, as_json: bool, data: Path) -> None:
    """Show all that was known and weighed for one decision."""
    with database.transaction(database.settings(data)) as session:
        action = scaling.find(session, action_id)
        if action is None:
            raise click.ClickException(
                f"there is no decision {action_id}; `coin controller history` lists "
                "them, and after two hours quiet ones are one"
            )
        obeyed = action.order_id and session.get(ControllerOrder, action.order_id)
        found = {**_decision(action), "order": _order(obeyed or None)}
    _show(controller_text.explanation(found), found, as_json=as_json)


@click.command()
@click.option("--group", type=click.Choice(list(GROUPS)), help="Of one group only.")
@click.option("--moves", is_flag=True, help="Only those that change a size.")
@click.option(
    "--limit", type=click.IntRange(1, PAGE_MAX), default=20, show_default=True
)
@_json_option
@data_option
def history(
    *, group: str | None, moves: bool, limit: int, as_json: bool, data: Path
) -> None:
    """Show the last decisions, the newest at the end."""
    with database.transaction(database.settings(data)) as session:
        actions = scaling.history(
            session, count=limit, worker_group=group, only_moves=moves
        )
        found = [_decision(action) for action in reversed(actions)]
    _show(controller_text.history(found), found, as_json=as_json)


def _show(lines: Iterable[str], found: Any, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2, default=datetime.isoformat))
    else:
        for line in lines:
            click.echo(line)


def silence(newest: Iterable[ControllerAction], now: datetime) -> str | None:
    """Return for how long nobody has decided; None when somebody just did."""
    last = max((action.until for action in newest), default=None)
    if last is None:
        return "no controller has decided yet"
    seconds = (now - last).total_seconds()
    if seconds <= _CYCLES_MISSED * TICK_SECONDS:
        return None
    return f"no controller has decided for {told(seconds)}"


def _status(session: Session, now: datetime) -> dict[str, Any]:
    newest = {
        name: action
        for name in GROUPS
        for action in scaling.history(session, count=1, worker_group=name)
    }
    sample = workload.newest(session)
    fresh = sample if sample and _age(sample.at, now) <= STALE_SECONDS else None
    crews = workload.crews(session, now=now)
    orders = scaling.orders(session, now=now)
    last = max(newest.values(), key=lambda action: action.until, default=None)
    return {
        "at": now,
        "controller": last and last.controller,
        "decided_at": last and last.until,
        "silence": silence(newest.values(), now),
        "measured_at": sample and sample.at,
        "groups": [
            {
                "name": group.name,
                "target_seconds": group.target_seconds,
                **_crew(crews.get(group.name, Crew())),
                **_load(group, fresh),
                "decision": _decision(newest[name]) if name in newest else None,
                "order": _order(orders.get(name)),
            }
            for name, group in GROUPS.items()
        ],
        "alarms": classic.alarms(fresh.host) if fresh and fresh.host else None,
    }


def _age(at: datetime, now: datetime) -> float:
    return (now - at).total_seconds()


def _crew(crew: Crew) -> dict[str, int]:
    return {"alive": crew.alive, "busy": crew.busy}


def _load(group: WorkerGroup, sample: Sample | None) -> dict[str, float | None]:
    """Return how many jobs wait and how long; None when nobody measures it."""
    if sample is None:
        return {"waiting": None, "oldest_seconds": None}
    loads = [load for queue, load in sample.queues.items() if group_of(queue) == group]
    return {
        "waiting": sum(load.ready for load in loads),
        "oldest_seconds": max((load.oldest for load in loads), default=0.0),
    }


def _decision(action: ControllerAction) -> dict[str, Any]:
    return {
        "id": action.id,
        "at": action.at,
        "until": action.until,
        "cycles": action.cycles,
        "group": action.worker_group,
        "mode": action.mode,
        "policy": action.policy,
        "target": action.target,
        "current": action.current,
        "desired": action.desired,
        "told": action.ordered,
        "need": action.need,
        "needs": action.needs,
        "clamps": action.clamps,
        "reason": action.reason,
        "inputs": action.inputs,
        "result": action.result,
        "ms": action.ms,
        "controller": action.controller,
        "sentence": action.sentence,
    }


def _order(order: ControllerOrder | None) -> dict[str, Any] | None:
    if order is None:
        return None
    return {
        "id": order.id,
        "at": order.at,
        "size": order.size,
        "until": order.until,
        "given_by": order.given_by,
        "reason": order.reason,
        "withdrawn_at": order.withdrawn_at,
    }
