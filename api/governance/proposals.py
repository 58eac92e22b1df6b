"""Proposals on the wire: drafted, listed, shown, and changed until they are fixed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.audit import note
from api.governance import bodies
from api.openapi.describing import describes, describes_item, describes_page
from api.openapi.parameters import Parameter, one_of
from api.permissions import principal_of
from api.shapes import governance as shapes
from api.signatures import REFUSES_UNPROVED, Signatures
from domain.audit_events import Action
from domain.governance import deeds, listing, proposals, texts, types
from domain.governance.cases import Case, find
from domain.governance.lifecycle import State
from domain.governance.texts import Text

_UUID: Final = {"type": "string", "format": "uuid"}
_TEXT: Final = {"type": "string", "minLength": 1}
_FILTERS: Final = (
    one_of("state", "Only proposals that are there now.", *State),
    Parameter("type", "Only proposals of this type.", _TEXT, "simple_majority"),
    Parameter("author", "Only who proposed them.", _UUID),
    Parameter("council_id", "Only those of this council.", _UUID),
    Parameter("tag", "Only those with this tag.", _TEXT, "trees"),
    Parameter("amends", "Only amendments of this proposal.", _UUID),
)
# Of a long text a list has the title.
_NOT_LISTED: Final = ("description", "options", "details", "events")


class Proposals:
    """POST and GET /api/governance/proposals."""

    def __init__(self, sessions: sessionmaker[Session], signatures: Signatures) -> None:
        self._sessions = sessions
        self._signatures = signatures
        self._schema = bodies.ProposalBody()

    @describes(
        {201: shapes.NewProposal},
        body=bodies.ProposalBody,
        tagged=True,
        refuses=[
            *("no_such_proposal_type", "no_such_proposal", "may_not_propose"),
            *("bad_proposal", "bad_parameters", "wrong_state", *REFUSES_UNPROVED),
        ],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Draft a proposal; what was proposed in such words before is shown with it."""
        body = media.load(self._schema, media.read_json(req))
        author, now = principal_of(req).id, datetime.now(UTC)
        text = Text(
            title=body["title"],
            description=body["description"],
            options=tuple(body["options"]),
            tags=tuple(body["tags"]),
            details=body["details"],
        )
        with self._sessions.begin() as session:
            rules = types.current(session, body["type"])
            deeds.require_by_hand(rules.parameters)
            if rules.parameters.signed:
                self._signatures.require_proved(req, session, author)
            case = proposals.create(
                session,
                author=author,
                type_name=rules.name,
                text=text,
                council_id=body["council_id"],
                amends=body["amends"],
                now=now,
            )
            similar = texts.similar(session, text, but=case.row.id)
            note(req, session, Action.PROPOSAL_CREATED, _subject(case), type=rules.name)
        shown = case.describe(now)
        resp.status = falcon.HTTP_201
        resp.location = f"/api/governance/proposals/{case.row.id}"
        resp.etag = media.tag_of(shown)
        resp.media = {**shown, "similar": similar}

    @describes_page("proposals", shapes.ProposalSummary, query=_FILTERS)
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List proposals, newest first."""
        query.allow(req, *(one.name for one in _FILTERS), "limit", "cursor")
        state, now = query.one_of(req, "state", *State), datetime.now(UTC)
        with self._sessions() as session:
            found = listing.page(
                session,
                state=None if state is None else State(state),
                type_name=req.get_param("type"),
                author=query.identity(req, "author"),
                council_id=query.identity(req, "council_id"),
                tag=req.get_param("tag"),
                amends=query.identity(req, "amends"),
                start=query.start(req, query.uuid),
                limit=query.limit(req),
                now=now,
            )
        query.page(req, resp, "proposals", found, lambda case: _listed(case, now))


class ProposalItem:
    """GET and PATCH /api/governance/proposals/{id}."""

    def __init__(self, sessions: sessionmaker[Session], signatures: Signatures) -> None:
        self._sessions = sessions
        self._signatures = signatures
        self._schema = bodies.ProposalChange()

    @describes_item(shapes.Proposal, refuses=["no_such_proposal"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Show a proposal, its state of this moment and what comes when."""
        with self._sessions() as session:
            case = find(session, proposal_id)
        media.show(req, resp, case.describe(datetime.now(UTC)))

    @describes_item(
        shapes.Proposal,
        body=bodies.ProposalChange,
        edits=True,
        refuses=[
            *("no_such_proposal", "not_your_proposal", "wrong_state"),
            *("bad_proposal", "bad_parameters", "too_many_versions"),
            *REFUSES_UNPROVED,
        ],
    )
    def on_patch(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Write another version of the text, until it is fixed."""
        body = media.load(self._schema, media.read_json(req))
        editor, now = principal_of(req).id, datetime.now(UTC)
        with self._sessions.begin() as session:
            case = find(session, proposal_id, lock=True)
            proposals.require_author(case, editor)
            media.require_match(req, case.describe(now))
            if case.parameters.signed:
                self._signatures.require_proved(req, session, editor)
            text = _changed(Text.of(case.text), body)
            case = proposals.edit(session, proposal_id, text, editor=editor, now=now)
            about = {"version": case.text.version, "fields": sorted(body)}
            note(req, session, Action.PROPOSAL_CHANGED, _subject(case), **about)
        media.show(req, resp, case.describe(now))


class Versions:
    """GET /api/governance/proposals/{id}/versions."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_page("versions", shapes.ProposalVersion, refuses=["no_such_proposal"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """List the versions of a text, newest first, and what each changed."""
        query.allow(req, "limit", "cursor")
        with self._sessions() as session:
            case = find(session, proposal_id)
            found = texts.versions(
                session,
                proposal_id,
                start=query.start(req, query.whole),
                limit=query.limit(req),
            )

        def shown(row: Any) -> dict[str, Any]:
            text = row.ProposalText
            is_last = text.version == case.text.version
            frozen = case.definition_sha256 if is_last else None
            return texts.describe_version(text, frozen)

        query.page(req, resp, "versions", found, shown)


def _subject(case: Case) -> str:
    return f"proposal:{case.row.id}"


def _changed(text: Text, body: dict[str, Any]) -> Text:
    for name in {"options", "tags"} & body.keys():
        body[name] = tuple(body[name])
    return replace(text, **body)


def _listed(case: Case, now: datetime) -> dict[str, Any]:
    shown = case.describe(now)
    return {name: value for name, value in shown.items() if name not in _NOT_LISTED}
