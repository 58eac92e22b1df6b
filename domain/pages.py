"""Pages of a list, newest first, that stay stable while it grows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

Item = TypeVar("Item")
Key = Any


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page starts: just below (or, going back, just above) a key."""

    key: Key
    back: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page and where its neighbours start; None where there is none."""

    items: Sequence[Item]
    next: Position | None
    prev: Position | None


def newest_first(  # noqa: PLR0913  a list has this many sides
    session: Session,
    statement: sa.Select[Any],
    *,
    column: sa.ColumnElement[Any],
    key: Callable[[Any], Key],
    start: Position | None,
    limit: int,
) -> Page[Any]:
    """Return up to `limit` rows of the statement in falling order of the column."""
    back = start is not None and start.back
    if start is not None:
        statement = statement.where(column > start.key if back else column < start.key)
    order = column.asc() if back else column.desc()
    rows: list[Any] = list(session.execute(statement.order_by(order).limit(limit + 1)))
    more = len(rows) > limit
    rows = rows[:limit]
    if back:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    older = more if not back else True
    newer = more if back else start is not None
    return Page(
        rows,
        Position(key(rows[-1])) if older else None,
        Position(key(rows[0]), back=True) if newer else None,
    )
