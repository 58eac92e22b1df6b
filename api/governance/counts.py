"""Counts for advice: the same ballots by another method."""

from typing import Final
from uuid import UUID

import falcon
from marshmallow import RAISE, Schema, fields, validate
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.bodies import example
from api.openapi.describing import describes_page, describes_write
from api.shapes.tallies import CountMade, CountShape
from api.submissions import Draft, Submissions, idempotency_key
from domain.governance import cases, counting, counts
from domain.governance.lanes import lane_of
from domain.tally import METHODS
from domain.tally.elections import NUMBER_MAX

_FAMILY: Final = "governance"


class CountBody(Schema):
    """POST /api/governance/proposals/{id}/counts."""

    class Meta:
        """Unknown fields are named, not ignored."""

        unknown = RAISE

    method = fields.String(
        required=True,
        validate=validate.OneOf(list(METHODS)),
        metadata=example("meek-stv"),
    )
    seats = fields.Integer(
        strict=True, validate=validate.Range(1, NUMBER_MAX), metadata=example(1)
    )


class Counts:
    """POST and GET /api/governance/proposals/{id}/counts."""

    def __init__(
        self, sessions: sessionmaker[Session], submissions: Submissions, *, lanes: int
    ) -> None:
        self._sessions = sessions
        self._submissions = submissions
        self._lanes = lanes
        self._schema = CountBody()

    @describes_write(
        CountBody,
        CountMade,
        refuses=[
            *("no_such_proposal", "not_counted_yet"),
            *("result_withheld", "ballots_not_countable"),
        ],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Accept a count of the same ballots by another method, for advice."""
        body = media.load(self._schema, media.read_json(req))
        with self._sessions() as session:
            case = cases.find(session, proposal_id)
            counts.published(session, case)
            assert case.freeze is not None, "it is counted"  # noqa: S101
            counting.otherwise(case.freeze, **body)
        draft = Draft(
            kind=counts.COUNT,
            lane=lane_of(proposal_id, self._lanes),
            payload={**body, "proposal_id": str(proposal_id)},
            key=idempotency_key(req),
            family=_FAMILY,
        )
        self._submissions.accept(req, resp, draft)

    @describes_page("counts", CountShape, refuses=["no_such_proposal"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """List the counts for advice."""
        query.allow(req, "limit", "cursor")
        with self._sessions() as session:
            case = cases.find(session, proposal_id)
            found = counts.page(
                session,
                proposal_id,
                start=query.start(req, query.uuid),
                limit=query.limit(req),
            )
        query.page(
            req, resp, "counts", found, lambda row: counts.describe(row.Tally, case)
        )
