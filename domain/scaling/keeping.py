"""Keep what was decided and ordered, and let quiet hours take little room."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.scaling.record import ControllerAction, ControllerOrder

# What policies look back over is kept cycle by cycle.
WHOLE_FOR: Final = timedelta(hours=2)
# Quiet cycles of so long become one row: of two groups, some 20 MB a year.
QUIET_FOR: Final = timedelta(hours=1)
# A year of quiet cycles is a quarter of these; what is busier reaches less far back.
KEPT_FOR: Final = timedelta(days=365)
KEPT_MAX: Final = 70_000
PAGE_MAX: Final = 100
_SAID: Final = [
    column.key for column in ControllerAction.__table__.columns if column.key != "id"
]
_ROLLED_AT_ONCE: Final = timedelta(days=2)

# One leader of all controllers on this database, for as long as its session lasts.
_LEADER: Final = sa.text("SELECT pg_try_advisory_lock(hashtext('coin controller'))")
# Whoever hangs would lead for ever: the server ends a session that says nothing.
_MUST_SPEAK: Final = sa.text("SELECT set_config('idle_session_timeout', :most, false)")


def lead(session: Session, *, silent_seconds: float) -> bool:
    """Become the leader, unless another is, until this connection ends or is silent.

    It is to be used for nothing else, and never given back to a pool.
    """
    led = bool(session.scalar(_LEADER))
    if led:
        session.execute(_MUST_SPEAK, {"most": f"{1000 * silent_seconds:.0f}ms"})
    return led


def record(session: Session, actions: Sequence[ControllerAction]) -> None:
    """Store what was decided; should this transaction fail, it can be done again."""
    if not actions:
        return
    rows = [{name: getattr(action, name) for name in _SAID} for action in actions]
    stored = sa.insert(ControllerAction).returning(
        ControllerAction.id, sort_by_parameter_order=True
    )
    for action, number in zip(actions, session.scalars(stored, rows), strict=True):
        action.id = number


def since(
    session: Session, worker_group: str, *, at: datetime
) -> list[ControllerAction]:
    """Return a group's actions since a time, oldest first."""
    found = sa.select(ControllerAction).where(
        ControllerAction.worker_group == worker_group, ControllerAction.until >= at
    )
    return list(session.scalars(found.order_by(ControllerAction.id)))


def find(session: Session, action_id: int) -> ControllerAction | None:
    """Return an action by its number."""
    return session.get(ControllerAction, action_id)


def history(
    session: Session,
    *,
    count: int,
    worker_group: str | None = None,
    only_moves: bool = False,
) -> list[ControllerAction]:
    """Return up to `count` actions, newest first; perhaps only changes of size."""
    found = sa.select(ControllerAction)
    if worker_group is not None:
        found = found.where(ControllerAction.worker_group == worker_group)
    if only_moves:
        found = found.where(ControllerAction.desired != ControllerAction.current)
    newest = found.order_by(ControllerAction.id.desc())
    return list(session.scalars(newest.limit(min(count, PAGE_MAX))))


def order(  # noqa: PLR0913  what an order says
    session: Session,
    worker_group: str,
    size: int | None,
    *,
    until: datetime | None,
    given_by: str,
    reason: str,
    now: datetime,
) -> ControllerOrder:
    """Order a size, or with None that nothing changes, in place of earlier orders."""
    withdraw(session, worker_group, now=now)
    made = ControllerOrder(
        at=now,
        worker_group=worker_group,
        size=size,
        until=until,
        given_by=given_by,
        reason=reason,
    )
    session.add(made)
    session.flush()
    return made


def withdraw(session: Session, worker_group: str, *, now: datetime) -> int:
    """Let the policy decide again; return how many orders that ended."""
    ended = (
        sa.update(ControllerOrder)
        .where(ControllerOrder.worker_group == worker_group, _standing(now))
        .values(withdrawn_at=now)
    )
    return session.execute(ended).rowcount  # type: ignore[attr-defined, no-any-return]


def orders(session: Session, *, now: datetime) -> dict[str, ControllerOrder]:
    """Return the order that stands for each group that has one."""
    found = sa.select(ControllerOrder).where(_standing(now))
    newest = session.scalars(found.order_by(ControllerOrder.id))
    return {order.worker_group: order for order in newest}


def _standing(now: datetime) -> sa.ColumnElement[bool]:
    return ControllerOrder.withdrawn_at.is_(None) & (
        ControllerOrder.until.is_(None) | (ControllerOrder.until > now)
    )


# Rows that told nobody anything and say the same as the one before them, in one hour,
# go into the first of their run: its reason, the last one's end, and how many they are.
# A size that is only recommended, as in a dry run, is said again and again: that is
# quiet as well.
_ROLL_UP: Final = sa.text("""
    WITH whole AS (
        SELECT id, until, cycles, worker_group,
               ordered IS NULL AS quiet,
               jsonb_build_array(mode, policy, target, current, desired, controller,
                   order_id, floor(extract(epoch FROM at) / :quiet_seconds)) AS said
        FROM controller_actions
        -- Implied by the last one, and what the index is asked for.
        WHERE until < :before AND until >= :after AND at >= :after
    ), runs AS (
        SELECT id, until, cycles, worker_group,
               sum(begins) OVER (PARTITION BY worker_group ORDER BY id) AS run
        FROM (
            SELECT *, CASE WHEN quiet AND lag(quiet) OVER before_it
                AND said = lag(said) OVER before_it THEN 0 ELSE 1 END AS begins
            FROM whole
            WINDOW before_it AS (PARTITION BY worker_group ORDER BY id)
        ) AS begun
    ), rolled AS (
        SELECT worker_group, run, min(id) AS first, max(until) AS until,
               sum(cycles) AS cycles
        FROM runs GROUP BY worker_group, run HAVING count(*) > 1
    ), kept AS (
        UPDATE controller_actions
        SET until = rolled.until, cycles = rolled.cycles
        FROM rolled WHERE id = rolled.first
    )
    DELETE FROM controller_actions USING runs JOIN rolled USING (worker_group, run)
    WHERE controller_actions.id = runs.id AND runs.id > rolled.first
""")


_TOO_OLD: Final = sa.text("""
    DELETE FROM controller_actions WHERE until < :since OR id <= (
        SELECT id FROM controller_actions ORDER BY id DESC OFFSET :most LIMIT 1)
""")


def roll_up(session: Session, *, now: datetime) -> int:
    """Make one row of quiet cycles that are long over; return how many that freed.

    From the newest to where that was done before, however long nobody did it. What is
    too old even so is forgotten.
    """
    freed, before = 0, now - WHOLE_FOR
    while (newest := _newest(session, before=before)) is not None:
        after = _begin(newest - _ROLLED_AT_ONCE)
        bound = {
            "before": before,
            "after": after,
            "quiet_seconds": QUIET_FOR.total_seconds(),
        }
        rolled = session.execute(_ROLL_UP, bound).rowcount  # type: ignore[attr-defined]
        if not rolled:
            break
        freed, before = freed + rolled, after
    session.execute(_TOO_OLD, {"since": now - KEPT_FOR, "most": KEPT_MAX})
    return freed


def _newest(session: Session, *, before: datetime) -> datetime | None:
    ended = ControllerAction.until
    return session.scalar(sa.select(sa.func.max(ended)).where(ended < before))


def _begin(at: datetime) -> datetime:
    """Return when the stretch of a moment began that may become one row."""
    return at - timedelta(seconds=at.timestamp() % QUIET_FOR.total_seconds())
