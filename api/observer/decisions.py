"""What the controller decided, newest first, with its reason."""

from collections.abc import Sequence
from typing import Any, Final

import falcon
import sqlalchemy as sa

from api.observer import answers
from api.observer.snapshots import by_limit
from domain.decisions import describe_decision

_NEWEST: Final = sa.text("""
    SELECT id, at, until, cycles, worker_group, mode, policy, target, current, desired,
           ordered, need, needs, clamps, reason, result
    FROM controller_actions ORDER BY id DESC LIMIT :count
""")

_Row = sa.RowMapping


class ControllerDecisions:
    """GET /api/controller_decisions."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._found = by_limit(self._look)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the newest decisions."""
        limit = answers.limit(req)
        found = self._found(limit)
        rows = found.content[:limit]
        answers.show(req, resp, found.show(limit, lambda: _describe(rows, limit)))

    def _look(self, count: int) -> Sequence[_Row]:
        with self._engine.connect() as connection:
            return connection.execute(_NEWEST, {"count": count}).mappings().all()


def _describe(rows: Sequence[_Row], limit: int) -> dict[str, Any]:
    decisions = [_decision(row) for row in rows]
    return {"count": len(decisions), "limit": limit, "decisions": decisions}


def _decision(row: _Row) -> dict[str, Any]:
    told = row["ordered"] is not None
    return {
        "id": row["id"],
        "timestamp": row["at"],
        "user_id": None,  # programs decide; whose order they follow is no news for all
        "recommendations": {
            name: row[name]
            for name in ("policy", "desired", "need", "needs", "clamps", "reason")
        },
        "actions_taken": [f"{row['target']} was told {row['ordered']}"] if told else [],
        "sentence": describe_decision(
            row["worker_group"],
            current=row["current"],
            desired=row["desired"],
            reason=row["reason"],
            clamps=row["clamps"],
            result=row["result"],
        ),
        "group": row["worker_group"],
        **{name: row[name] for name in ("mode", "target", "current", "desired")},
        **{name: row[name] for name in ("ordered", "result", "until", "cycles")},
    }
