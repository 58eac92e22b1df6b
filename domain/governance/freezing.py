"""Freezes: what is decided, among what, by whom, fixed as it was when voting opened.

Read from what is stored with its times, so that whoever freezes a proposal, however
late, finds the same.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.councils.record import Council, Nomination
from domain.governance.cases import Case, find
from domain.governance.deeds import read_seats
from domain.governance.electorates import Electorate, store_electors
from domain.governance.lifecycle import Event
from domain.governance.parameters import Deed, Parameters
from domain.governance.record import Freeze, WrongState
from domain.governance.texts import Text
from domain.tally import Election, Eligible, canonical
from domain.users import User

FORMAT: Final = "coin freeze 1"


def freeze(session: Session, case: Case, *, now: datetime) -> Freeze:
    """Return what was fixed when voting opened; the first to ask fixes it."""
    if case.freeze is not None:
        return case.freeze
    _require_opened(case, now)
    # Of those who find it due at once one does it, and the others read it; and what it
    # says now is what it will be.
    case = find(session, case.row.id, lock=True)
    return case.freeze or _make(session, case, _require_opened(case, now))


def _require_opened(case: Case, now: datetime) -> datetime:
    """Return when voting opened, or raise WrongState."""
    times = case.timeline
    if times is None or now < times.voting or Event.CANCELLED in case.events:
        raise WrongState("Voting on this proposal has not opened.")
    return times.voting


def election_of(freeze: Freeze) -> Election:
    """Return what the ballots on a frozen proposal are counted by.

    Raises BadParameters when it cannot be counted, as when nobody stands.
    """
    defined = json.loads(freeze.definition)
    return Parameters.read(defined["parameters"]).election(
        tuple(defined["options"]),
        eligible=Eligible(freeze.people, freeze.weight),
        seats=defined["seats"],
    )


def options_of(session: Session, case: Case) -> tuple[str, ...]:
    """Return what is chosen among once voting has opened, frozen yet or not."""
    if case.timeline is None:
        raise WrongState("Voting on this proposal has not opened.")
    if case.freeze is not None:
        return tuple(json.loads(case.freeze.definition)["options"])
    return tuple(_choices(session, case, case.timeline.voting)["options"])


def _make(session: Session, case: Case, at: datetime) -> Freeze:
    electors = store_electors(session, case.row, case.parameters, at=at)
    definition = canonical(_define(session, case, electors, at)).decode()
    made = Freeze(
        proposal_id=case.row.id,
        at=at,
        people=electors.people,
        weight=electors.weight,
        definition=definition,
        sha256=sha256(definition.encode()).hexdigest(),
    )
    session.add(made)
    session.flush()
    return made


def _define(
    session: Session, case: Case, electors: Electorate, at: datetime
) -> dict[str, Any]:
    row, text = case.row, Text.of(case.text)
    return {
        "format": FORMAT,
        "proposal": str(row.id),
        "type": row.type,
        "type_version": row.type_version,
        "parameters": case.parameters.describe(),
        "text": {
            "version": case.text.version,
            "title": text.title,
            "description": text.description,
            "options": list(text.options),
            "details": dict(text.details),
        },
        **_choices(session, case, at),
        "electorate": {
            "people": electors.people,
            "weight": electors.weight,
            "sha256": electors.sha256,
        },
        "voting_at": at.astimezone(UTC).isoformat(),
        "commitment": case.commitment,
    }


def _choices(session: Session, case: Case, at: datetime) -> Mapping[str, Any]:
    """Return the options; in an election those who stand, and for how many seats."""
    if case.parameters.deed is not Deed.SEATS:
        return {"options": list(case.text.options), "seats": case.parameters.seats}
    standing = session.execute(
        sa.select(User.username, Nomination.affiliation)
        .join(Nomination, Nomination.user_id == User.id)
        .where(
            Nomination.proposal_id == case.row.id,
            Nomination.at <= at,
            _not_by(Nomination.withdrawn_at, at),
            _not_by(User.deleted_at, at),
        )
    )
    affiliations = {row.username: row.affiliation for row in standing}
    council = session.get(Council, case.row.council_id)
    return {
        "options": sorted(affiliations),
        "affiliations": affiliations,
        "affiliation_cap": council and council.affiliation_cap,
        "seats": read_seats(case.text.details).number,
    }


def _not_by(column: Any, at: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(column.is_(None), column > at)
