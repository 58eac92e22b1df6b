"""Lists of proposals, newest first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from domain.governance.cases import Case, cases
from domain.governance.lifecycle import FINAL, Event, State
from domain.governance.record import Proposal, ProposalEvent, ProposalText
from domain.pages import Page, Position

# A list by state looks at so many rows at most for one page, so many at once.
_LOOKED_AT_MAX: Final = 2_000
_CHUNK: Final = 200


def page(  # noqa: PLR0913  the filters of the list
    session: Session,
    *,
    state: State | None = None,
    type_name: str | None = None,
    author: UUID | None = None,
    council_id: UUID | None = None,
    tag: str | None = None,
    amends: UUID | None = None,
    start: Position | None = None,
    limit: int,
    now: datetime,
) -> Page[Case]:
    """Return proposals, newest first.

    A state is computed, so that a list by state looks at all that are not over and at
    those that were told to be in it.
    """
    statement = sa.select(Proposal.id).where(
        *_equal({Proposal.type: type_name, Proposal.author: author}),
        *_equal({Proposal.council_id: council_id, Proposal.amends: amends}),
    )
    if tag is not None:
        newest = _newest_text().where(ProposalText.tags.contains([tag])).subquery()
        statement = statement.where(Proposal.id.in_(sa.select(newest.c.proposal_id)))
    if state is not None:
        statement = statement.where(_may_be(state))
    back = start is not None and start.back
    items, end = _take(session, statement, state, start=start, limit=limit, now=now)
    onward = None if end is None else Position(end, back=back)
    begun = items and start is not None
    backward = Position(items[0].row.id, back=not back) if begun else None
    if back:
        return Page(items[::-1], backward, onward)
    return Page(items, onward, backward)


def counts(session: Session) -> dict[str, int]:
    """Return how many proposals are in each state, as it was last announced."""
    counted = sa.select(Proposal.announced, sa.func.count()).group_by(
        Proposal.announced
    )
    found = dict.fromkeys(map(str, State), 0)
    return found | {row[0]: row[1] for row in session.execute(counted)}


def _take(  # noqa: PLR0913  where to look, and for what
    session: Session,
    statement: sa.Select[UUID],
    state: State | None,
    *,
    start: Position | None,
    limit: int,
    now: datetime,
) -> tuple[list[Case], UUID | None]:
    """Return what there is from a position on, and after which row there is more."""
    back = start is not None and start.back
    order = Proposal.id.asc() if back else Proposal.id.desc()
    key: UUID | None = None if start is None else start.key
    items, looked = list[Case](), 0
    chunk = limit + 1 if state is None else _CHUNK
    while looked < _LOOKED_AT_MAX:
        rest = statement
        if key is not None:
            rest = rest.where(Proposal.id > key if back else Proposal.id < key)
        ids = list(session.scalars(rest.order_by(order).limit(chunk + 1)))
        found = cases(session, ids[:chunk])
        items += [
            found[one]
            for one in ids[:chunk]
            if state is None or found[one].state(now) is state
        ]
        if len(items) > limit:
            return items[:limit], items[limit - 1].row.id
        if len(ids) <= chunk:
            return items, None
        key, looked = ids[chunk - 1], looked + chunk
    return items, key


def begun() -> sa.ColumnElement[bool]:
    """Return the condition that a proposal is no draft, whatever was told of it."""
    left = sa.exists().where(
        ProposalEvent.proposal_id == Proposal.id,
        ProposalEvent.kind.in_([str(Event.OPENED), str(Event.CANCELLED)]),
    )
    return sa.or_(Proposal.announced != str(State.DRAFT), left)


def _may_be(state: State) -> sa.ColumnElement[bool]:
    """Return the condition that a proposal may be in a state, by what was told."""
    if state is State.DRAFT:
        return Proposal.announced == str(State.DRAFT)
    over = {*FINAL, State.PASSED} - {state}
    # What came of it may have been written down since.
    over -= {State.PASSED} if state in FINAL else set()
    return sa.and_(Proposal.announced.not_in(map(str, over)), begun())


def _equal(wanted: Mapping[Any, Any]) -> list[sa.ColumnElement[bool]]:
    return [column == value for column, value in wanted.items() if value is not None]


def _newest_text() -> sa.Select[Any]:
    """Select the text of each proposal as it stands."""
    later = aliased(ProposalText)
    return sa.select(ProposalText).where(
        ~sa.exists().where(
            later.proposal_id == ProposalText.proposal_id,
            later.version > ProposalText.version,
        )
    )
