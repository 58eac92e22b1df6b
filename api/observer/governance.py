"""Proposals, votes and councils in figures: no voter, no ballot, no draft."""

from collections.abc import Mapping
from typing import Any, Final

import falcon
import sqlalchemy as sa

from api.observer import answers
from api.observer.snapshots import Snapshot

# Each of our states is one of the four that there were first.
_STATUS_OF: Final[Mapping[str, str]] = {
    "draft": "draft",
    **dict.fromkeys(("discussion", "frozen", "voting"), "active"),
    **dict.fromkeys(("closed", "queued", "passed", "executed", "expired"), "closed"),
    **dict.fromkeys(("failed", "cancelled", "vetoed"), "rejected"),
}
_NOTE: Final = (
    "by_status groups the states of by_state; a state is shown when it was announced, "
    "some seconds after it is so. Drafts are counted and not shown."
)
_COUNTED: Final = sa.text("""
    SELECT announced AS state, count(*) AS proposals, sum(turnout)::bigint AS votes
    FROM proposals GROUP BY announced
""")
_SEATED: Final = sa.text("""
    SELECT count(*) FROM council_members
    WHERE ended_at IS NULL AND since <= now() AND until > now()
""")
_RECENT: Final = sa.text("""
    SELECT p.id, t.title, p.type, p.announced AS state, p.created_at
    FROM (SELECT * FROM proposals WHERE announced <> 'draft'
          ORDER BY id DESC LIMIT 5) AS p,
        LATERAL (SELECT title FROM proposal_texts WHERE proposal_id = p.id
                 ORDER BY version DESC LIMIT 1) AS t
    ORDER BY p.id DESC
""")


class GovernanceState:
    """GET /api/governance_state."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._found = Snapshot(self._look)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show how many proposals, votes and council members there are."""
        answers.allow(req)
        found = self._found()
        answers.show(req, resp, found.show(None, lambda: found.content))

    def _look(self) -> dict[str, Any]:
        with self._engine.connect() as connection:
            counted = connection.execute(_COUNTED).all()
            seated = connection.execute(_SEATED).scalar()
            recent = connection.execute(_RECENT).mappings().all()
        by_state = dict.fromkeys(_STATUS_OF, 0)
        by_status = dict.fromkeys(_STATUS_OF.values(), 0)
        for row in counted:
            by_state[row.state] += row.proposals
            by_status[_STATUS_OF[row.state]] += row.proposals
        return {
            "proposal_summary": {
                "total": sum(by_state.values()),
                "by_status": by_status,
                "by_state": by_state,
            },
            "vote_summary": {"total_votes": sum(row.votes for row in counted)},
            "council_summary": {"active_members": seated},
            "recent_proposals": [
                {**row, "status": _STATUS_OF[row["state"]]} for row in recent
            ],
            "available": True,
            "note": _NOTE,
        }
