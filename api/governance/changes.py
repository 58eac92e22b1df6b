"""What is done to a proposal: opened, amended, cancelled, vetoed, concluded."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media
from api.audit import note
from api.governance import bodies
from api.openapi.describing import describes_item
from api.permissions import principal_of
from api.shapes import governance as shapes
from api.signatures import REFUSES_UNPROVED, Signatures
from domain.audit_events import Action
from domain.governance import announcing, proposals, vetoing
from domain.governance.cases import Case, find


class Open:
    """POST /api/governance/proposals/{id}/open."""

    def __init__(self, sessions: sessionmaker[Session], signatures: Signatures) -> None:
        self._sessions = sessions
        self._signatures = signatures

    @describes_item(
        shapes.Proposal,
        refuses=[
            *("no_such_proposal", "not_your_proposal", "may_not_propose"),
            *("wrong_state", "bad_proposal", "bad_parameters", *REFUSES_UNPROVED),
        ],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Open a draft to discussion: from then on its time runs."""
        media.read_body(req)
        actor, now = principal_of(req).id, datetime.now(UTC)
        with self._sessions.begin() as session:
            case = find(session, proposal_id, lock=True)
            proposals.require_author(case, actor)
            if proposals.is_signed(session, case):
                self._signatures.require_proved(req, session, actor)
            case = proposals.open_(session, proposal_id, actor=actor, now=now)
            _tell(req, session, case, now)
        media.show(req, resp, case.describe(now))


class Adoption:
    """POST /api/governance/proposals/{id}/adoption."""

    def __init__(self, sessions: sessionmaker[Session], signatures: Signatures) -> None:
        self._sessions = sessions
        self._signatures = signatures
        self._schema = bodies.AdoptionBody()

    @describes_item(
        shapes.Proposal,
        body=bodies.AdoptionBody,
        refuses=[
            *("no_such_proposal", "not_your_proposal", "wrong_state"),
            *("amendment_changed", "bad_proposal", "bad_parameters"),
            "too_many_versions",
            *REFUSES_UNPROVED,
        ],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Make an amendment's text the proposal's next version."""
        body = media.load(self._schema, media.read_json(req))
        editor, now = principal_of(req).id, datetime.now(UTC)
        with self._sessions.begin() as session:
            case = find(session, proposal_id, lock=True)
            proposals.require_author(case, editor)
            if case.parameters.signed:
                self._signatures.require_proved(req, session, editor)
            case = proposals.adopt(
                session,
                proposal_id,
                amendment_id=body["amendment_id"],
                version=body["version"],
                editor=editor,
                now=now,
            )
            about = {
                "version": case.text.version,
                "amendment": str(body["amendment_id"]),
                "amendment_version": body["version"],
            }
            note(req, session, Action.PROPOSAL_CHANGED, _subject(case), **about)
        media.show(req, resp, case.describe(now))


class Cancel:
    """POST /api/governance/proposals/{id}/cancel."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = bodies.CancelBody()

    @describes_item(
        shapes.Proposal,
        body=bodies.CancelBody,
        refuses=["no_such_proposal", "not_your_proposal", "wrong_state"],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Withdraw a proposal before its vote has closed."""
        reason = media.load(self._schema, media.read_json(req))["reason"]
        actor, now = principal_of(req).id, datetime.now(UTC)
        with self._sessions.begin() as session:
            _require_author(req, find(session, proposal_id, lock=True))
            case = proposals.cancel(
                session, proposal_id, actor=actor, reason=reason, now=now
            )
            _tell(req, session, case, now)
        media.show(req, resp, case.describe(now))


class Veto:
    """POST /api/governance/proposals/{id}/veto."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = bodies.VetoBody()

    @describes_item(
        shapes.Proposal,
        body=bodies.VetoBody,
        refuses=["no_such_proposal", "no_veto", "wrong_state"],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Stop what has passed before it is carried out, for a reason."""
        reason = media.load(self._schema, media.read_json(req))["reason"]
        actor, now = principal_of(req).id, datetime.now(UTC)
        with self._sessions.begin() as session:
            case = vetoing.veto(
                session, proposal_id, actor=actor, reason=reason, now=now
            )
            note(req, session, Action.PROPOSAL_VETOED, _subject(case))
            _tell(req, session, case, now)
        media.show(req, resp, case.describe(now))


class Outcome:
    """POST /api/governance/proposals/{id}/outcome."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._schema = bodies.OutcomeBody()

    @describes_item(
        shapes.Proposal,
        body=bodies.OutcomeBody,
        refuses=["no_such_proposal", "not_your_proposal", "wrong_state"],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Write down, once, what came of a proposal that passed."""
        statement = media.load(self._schema, media.read_json(req))["statement"]
        actor, now = principal_of(req).id, datetime.now(UTC)
        with self._sessions.begin() as session:
            _require_author(req, find(session, proposal_id, lock=True))
            case = proposals.conclude(
                session, proposal_id, actor=actor, statement=statement, now=now
            )
            note(req, session, Action.PROPOSAL_CONCLUDED, _subject(case))
            _tell(req, session, case, now)
        media.show(req, resp, case.describe(now))


def _require_author(req: falcon.Request, case: Case) -> None:
    """Raise NotYours to who neither proposed it nor operates this."""
    if not req.context.anyones:
        proposals.require_author(case, principal_of(req).id)


def _tell(req: falcon.Request, session: Session, case: Case, now: datetime) -> None:
    who: dict[str, Any] = {
        "actor": principal_of(req).id,
        "request_id": req.context.request_id,
    }
    announcing.announce(session, case.row.id, now=now, **who)


def _subject(case: Case) -> str:
    return f"proposal:{case.row.id}"
