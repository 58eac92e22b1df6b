"""The newest audit events: that something was done is for all, by whom is not."""

from collections.abc import Sequence
from typing import Any, Final

import falcon
import sqlalchemy as sa

from api.observer import answers
from api.observer.snapshots import by_limit
from api.observer.visitors import Visitors
from domain.principals import Principal

_NEWEST: Final = sa.text("""
    SELECT id, at, action, application, actor, subject, details
    FROM audit_events ORDER BY id DESC LIMIT :count
""")
# What is done to these is done to nobody in particular.
_IMPERSONAL: Final = frozenset({"key", "signing_key", "webhook", "block"})
_WITHHELD: Final = (
    "withheld: actor_user_id, details, and target_entity_id where it is a person's; "
    "send an API key or a person's access token with the scope audit:read"
)
_EVERYBODYS: Final = "shown: of every application"
_AN_APPLICATIONS: Final = "shown: of {}, whose key this is; withheld of all others"
_NOT_RECORDED: Final = "not recorded: no audit event holds one"

_Row = sa.RowMapping


class AuditSummary:
    """GET /api/audit_summary."""

    def __init__(self, engine: sa.Engine, visitors: Visitors) -> None:
        self._engine = engine
        self._visitors = visitors
        self._found = by_limit(self._look)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the newest events, personal data only to who may read them."""
        limit = answers.limit(req)
        resp.set_header("Vary", "Authorization, X-API-Key, X-Token")
        reader = self._visitors.auditor(req)
        found = self._found(limit)
        rows = found.content[:limit]
        shown = found.show(
            (limit, _view(reader)), lambda: _describe(rows, limit, reader)
        )
        answers.show(req, resp, shown, personal=reader is not None)

    def _look(self, count: int) -> Sequence[_Row]:
        with self._engine.connect() as connection:
            return connection.execute(_NEWEST, {"count": count}).mappings().all()


def _view(reader: Principal | None) -> str:
    """Return what is told of personal data, which is also what sets answers apart."""
    if reader is None:
        return _WITHHELD
    if reader.owner is not None:
        return _EVERYBODYS
    return _AN_APPLICATIONS.format(reader.application)


def _describe(
    rows: Sequence[_Row], limit: int, reader: Principal | None
) -> dict[str, Any]:
    return {
        "count": len(rows),
        "limit": limit,
        "audit_entries": [_entry(row, open_to=reader) for row in rows],
        "personal_data": _view(reader),
        "ip_addresses": _NOT_RECORDED,
    }


def _entry(row: _Row, *, open_to: Principal | None) -> dict[str, Any]:
    shown = open_to is not None and (
        open_to.owner is not None or open_to.application == row["application"]
    )
    impersonal = row["subject"].partition(":")[0] in _IMPERSONAL
    return {
        "id": row["id"],
        "actor_user_id": row["actor"] if shown else None,
        "action_type": row["action"],
        "target_entity_id": row["subject"] if shown or impersonal else None,
        "details": row["details"] if shown else None,
        "ip_address": None,
        "created_at": row["at"],
        "application": row["application"],
    }
