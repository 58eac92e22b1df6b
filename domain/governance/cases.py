"""Cases: a proposal with all that its state depends on."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, defer

from domain.governance.lifecycle import (
    Event,
    Facts,
    State,
    Timeline,
    state,
    timeline,
)
from domain.governance.parameters import Parameters
from domain.governance.record import (
    Freeze,
    NoSuchProposal,
    Proposal,
    ProposalEvent,
    ProposalSeed,
    ProposalText,
    ProposalType,
    WrongState,
)
from domain.governance.texts import Text
from domain.tally import commitment

# What may be long, and where a proposal is does not depend on.
_LONG_TEXT: Final = (defer(ProposalText.description), defer(ProposalText.details))
_LONG_FREEZE: Final = (defer(Freeze.definition),)


@dataclass(frozen=True)
class Case:
    """A proposal with all that its state depends on."""

    row: Proposal
    text: ProposalText
    parameters: Parameters
    events: Mapping[Event, ProposalEvent]
    freeze: Freeze | None
    commitment: str | None

    @cached_property
    def facts(self) -> Facts:
        """Return what happened."""
        tallied = self.events.get(Event.TALLIED)
        return Facts(
            {kind: event.at for kind, event in self.events.items()},
            None if tallied is None else tallied.details["outcome"] == "passed",
        )

    @cached_property
    def timeline(self) -> Timeline | None:
        """Return when what follows; None for a draft."""
        return timeline(self.facts, self.parameters)

    @property
    def definition_sha256(self) -> str | None:
        """Return the hash of what was fixed when voting opened."""
        return None if self.freeze is None else self.freeze.sha256

    @cached_property
    def details(self) -> Mapping[str, Any]:
        """Return what is asked to be carried out: as it was frozen, once it was."""
        if self.freeze is None:
            return dict(self.text.details)
        frozen = json.loads(self.freeze.definition)["text"]["details"]
        return dict(frozen)

    def state(self, now: datetime) -> State:
        """Return where the proposal is."""
        return state(self.facts, self.parameters, now=now)

    def require(self, allowed: Iterable[State], now: datetime) -> None:
        """Raise WrongState unless the proposal is in one of these states."""
        found, wanted = self.state(now), sorted(allowed)
        if found not in wanted:
            raise WrongState(
                f"The proposal is {found}; this is for {' or '.join(wanted)}.",
                state=str(found),
            )

    def describe(self, now: datetime) -> dict[str, Any]:
        """Return the proposal as JSON shows it."""
        row = self.row
        return {
            "id": str(row.id),
            "type": row.type,
            "type_version": row.type_version,
            "state": str(self.state(now)),
            "author": str(row.author),
            "council_id": row.council_id and str(row.council_id),
            "amends": row.amends and str(row.amends),
            **Text.of(self.text).describe(),
            "version": self.text.version,
            "created_at": row.created_at.isoformat(),
            "timeline": self.timeline and self.timeline.describe(),
            "turnout": row.turnout,
            "commitment": self.commitment,
            "freeze": self.freeze and describe_freeze(self.freeze),
            "events": [_describe_event(one) for one in self.in_order()],
        }

    def in_order(self) -> list[ProposalEvent]:
        """Return what happened, first things first."""
        return sorted(self.events.values(), key=lambda one: (one.at, one.kind))


def describe_freeze(freeze: Freeze) -> dict[str, Any]:
    """Return what was fixed as JSON shows it on every answer."""
    return {
        "at": freeze.at.isoformat(),
        "people": freeze.people,
        "weight": freeze.weight,
        "sha256": freeze.sha256,
    }


def _describe_event(event: ProposalEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "at": event.at.isoformat(),
        "actor": event.actor and str(event.actor),
        "details": event.details,
    }


def happen(  # noqa: PLR0913  what is known of an event
    session: Session,
    proposal_id: UUID,
    kind: Event,
    *,
    now: datetime,
    actor: UUID | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down that something happened to a proposal; it happens once."""
    session.add(
        ProposalEvent(
            proposal_id=proposal_id,
            kind=str(kind),
            at=now,
            actor=actor,
            details=dict(details or {}),
        )
    )
    session.flush()


def find(session: Session, proposal_id: UUID, *, lock: bool = False) -> Case:
    """Return a proposal, locked when it is to change, or raise NoSuchProposal."""
    found = cases(session, [proposal_id], lock=lock)
    if not found:
        raise NoSuchProposal
    return found[proposal_id]


def cases(
    session: Session, ids: Sequence[UUID], *, lock: bool = False, brief: bool = False
) -> dict[UUID, Case]:
    """Return proposals by their ids; what there is not is left out.

    `brief`: what may be long is read when somebody asks for it.
    """
    chosen = sa.select(Proposal).where(Proposal.id.in_(ids)).order_by(Proposal.id)
    if lock:
        # Rows that refer to it, as ballots do, are added meanwhile all the same.
        chosen = chosen.with_for_update(key_share=True)
    rows = session.scalars(chosen, execution_options={"populate_existing": True}).all()
    texts = session.scalars(
        sa.select(ProposalText)
        .ext(distinct_on(ProposalText.proposal_id))
        .where(ProposalText.proposal_id.in_(ids))
        .order_by(ProposalText.proposal_id, ProposalText.version.desc())
        .options(*(_LONG_TEXT if brief else ()))
    )
    text_of = {text.proposal_id: text for text in texts}
    events: dict[UUID, dict[Event, ProposalEvent]] = {row.id: {} for row in rows}
    for event in session.scalars(
        sa.select(ProposalEvent).where(ProposalEvent.proposal_id.in_(ids))
    ):
        events[event.proposal_id][Event(event.kind)] = event
    freezes = session.scalars(
        sa.select(Freeze)
        .where(Freeze.proposal_id.in_(ids))
        .options(*(_LONG_FREEZE if brief else ()))
    )
    freeze_of = {freeze.proposal_id: freeze for freeze in freezes}
    seeds = session.scalars(
        sa.select(ProposalSeed).where(ProposalSeed.proposal_id.in_(ids))
    )
    commitments = {seed.proposal_id: commitment(seed.seed) for seed in seeds}
    rules = _rules_of(session, rows)
    return {
        row.id: Case(
            row,
            text_of[row.id],
            rules[row.type, row.type_version],
            events[row.id],
            freeze_of.get(row.id),
            commitments.get(row.id),
        )
        for row in rows
    }


def _rules_of(
    session: Session, rows: Iterable[Proposal]
) -> dict[tuple[str, int], Parameters]:
    keys = {(row.type, row.type_version) for row in rows}
    found = session.scalars(
        sa.select(ProposalType).where(
            sa.tuple_(ProposalType.name, ProposalType.version).in_(keys)
        )
    )
    return {(one.name, one.version): Parameters.read(one.parameters) for one in found}
