"""What a vote came to: its result, why, and all that it takes to count it again."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final
from uuid import UUID

import falcon
import orjson
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.governance.kept import Kept
from api.openapi.describing import describes, describes_item
from api.openapi.parameters import one_of
from api.shapes.tallies import (
    BLT_EXAMPLE,
    VOTERS_EXAMPLE,
    Explained,
    PackageShape,
    ResultShape,
)
from domain.governance import cases, explaining, lists, packages, results
from domain.tally import canonical

_TEXT: Final = "text/plain"
# How long is shown how a vote stood with which many delegate.
_COSTLY_SECONDS: Final = 5.0
_FORMATS: Final = ("json", "blt", "voters")


class Result:
    """GET /api/governance/proposals/{id}/result."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._kept = Kept()
        self._lately = Kept(_COSTLY_SECONDS)

    @describes_item(ResultShape, refuses=["no_such_proposal"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Show how a vote stands, and once it is counted what came of it."""
        query.allow(req)
        body = self._kept.get(proposal_id) or self._lately.get(proposal_id)
        if body is None:
            with self._sessions() as session:
                case = cases.find(session, proposal_id)
                shown = results.show(session, case, now=datetime.now(UTC))
            body = orjson.dumps(shown)
            # What was counted stays as it is.
            if shown["tally_id"]:
                self._kept.keep(proposal_id, body)
            elif results.is_costly(case):
                self._lately.keep(proposal_id, body)
        media.show_body(req, resp, body)


class Explanation:
    """GET /api/governance/proposals/{id}/explain."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._lately = Kept(_COSTLY_SECONDS)

    @describes({200: Explained}, refuses=["no_such_proposal"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Say by which rule and numbers a proposal is where it is."""
        query.allow(req)
        resp.data = self._lately.get(proposal_id)
        if resp.data is None:
            with self._sessions() as session:
                case = cases.find(session, proposal_id)
                said = explaining.explain(session, case, now=datetime.now(UTC))
            resp.data = orjson.dumps(said)
            if results.is_costly(case):
                self._lately.keep(proposal_id, resp.data)


class Package:
    """GET /api/governance/proposals/{id}/package."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._kept = Kept()

    @describes(
        {
            200: {
                media.JSON: PackageShape,
                _TEXT: BLT_EXAMPLE,
                media.NDJSON: VOTERS_EXAMPLE,
            }
        },
        query=[
            one_of(
                "format",
                "`json`: the package; `blt`: ballots that rank options, as counting "
                "programs read them; `voters`: who voted, a line each.",
                *_FORMATS,
            )
        ],
        tagged=True,
        gives=["Content-Disposition"],
        refuses=[
            *("no_such_proposal", "not_counted_yet"),
            *("result_withheld", "ballots_not_countable"),
        ],
    )
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, proposal_id: UUID
    ) -> None:
        """Give what it takes to count a vote again without us."""
        query.allow(req, "format")
        asked = query.one_of(req, "format", *_FORMATS) or "json"
        if asked == "voters":
            self._voters(resp, proposal_id)
            _name(resp, proposal_id, "voters.ndjson")
            return
        kind = media.JSON if asked == "json" else f"{_TEXT}; charset=utf-8"
        body = self._body(proposal_id, asked)
        _name(resp, proposal_id, f"package.{asked}")
        media.show_body(req, resp, body, kind)

    def _body(self, proposal_id: UUID, asked: str) -> bytes:
        name = (proposal_id, asked)
        body = self._kept.get(name)
        if body is None:
            with self._sessions() as session:
                case = cases.find(session, proposal_id)
                body = _MADE[asked](session, case)
            self._kept.keep(name, body)
        return body

    def _voters(self, resp: falcon.Response, proposal_id: UUID) -> None:
        """Send the list of voters a page at a time, each by a look of its own."""
        with self._sessions() as session:
            case = cases.find(session, proposal_id)
            first = lists.head(session, case)

        def pages() -> Iterator[list[Any]]:
            after = None
            while True:
                with self._sessions() as session:
                    lines, after = lists.page(session, case, after=after)
                if after is None:
                    return
                yield lines

        sent = lists.written(first, pages())
        # At once, while there can still be another answer.
        begun = next(sent)
        resp.content_type = media.NDJSON
        resp.stream = chain([begun], sent)


def _name(resp: falcon.Response, proposal_id: UUID, name: str) -> None:
    """Give a browser a name to store the answer under."""
    file = f"proposal-{proposal_id}-{name}"
    resp.set_header("Content-Disposition", f'attachment; filename="{file}"')


_MADE: Final[dict[str, Callable[[Session, cases.Case], bytes]]] = {
    "json": lambda session, case: canonical(packages.build(session, case)),
    "blt": lambda session, case: packages.as_blt(session, case).encode(),
}
