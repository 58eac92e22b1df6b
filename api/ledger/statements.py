"""Statements: pages of entries, or all of them as CSV."""

import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

import falcon
import orjson
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.ledger.reading import require_owner
from api.openapi.describing import describes
from api.permissions import principal_of, require_readable
from api.shapes.ledger import STATEMENT_CSV, Entry
from api.shapes.members import page_of
from domain import ledger

_CSV: Final = "text/csv"
_CSV_PAGE: Final = 1_000
_FILTERS: Final = ("operation", "since", "until")
# What a spreadsheet would run as a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Entries:
    """GET /ledger/{owner_id}/entries."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes(
        {200: {media.JSON: page_of("entries", Entry), _CSV: STATEMENT_CSV}},
        query=[*_FILTERS, "limit", "cursor"],
        gives=["Content-Disposition"],
        refuses=["not_your_account"],
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, owner_id: str) -> None:
        """Show a page of an owner's entries, or the whole statement as CSV."""
        principal = principal_of(req)
        as_csv = req.client_prefers([media.JSON, _CSV]) == _CSV
        # A statement in CSV is whole: one cut short without a word would be false.
        query.allow(req, *_FILTERS, *(() if as_csv else ("limit", "cursor")))
        resp.append_header("Vary", "Accept")
        require_owner(owner_id)
        require_readable(req, owner_id)
        if ledger.is_system(owner_id):
            raise query.refuse(
                "owner_id", "A system account is split by lane and has no statement."
            )
        filters: dict[str, Any] = {
            "application": principal.application,
            "owner": owner_id,
            "operation": req.get_param("operation"),
            "since": query.instant(req, "since"),
            "until": query.instant(req, "until"),
        }
        if as_csv:
            pages = self._csv(filters)
            # At once, while there can still be another answer.
            first = next(pages)
            resp.content_type = f"{_CSV}; charset=utf-8"
            resp.set_header(
                "Content-Disposition", 'attachment; filename="statement.csv"'
            )
            resp.stream = chain([first], pages)
            return
        with self._sessions() as session:
            found = ledger.statement(
                session,
                **filters,
                start=query.start(req, query.whole),
                limit=query.limit(req),
            )
        query.page(req, resp, "entries", found, _entry)

    def _csv(self, filters: dict[str, Any]) -> Iterator[bytes]:
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS)
        writer.writeheader()
        start = None
        while True:
            with self._sessions() as session:
                found = ledger.statement(
                    session, **filters, start=start, limit=_CSV_PAGE
                )
            writer.writerows(_csv_row(_entry(row)) for row in found.items)
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
            if found.next is None:
                return
            start = found.next


_COLUMNS: Final = (
    "transfer_id",
    "operation",
    "amount",
    "balance_after",
    "version",
    "counterparty",
    "nonce",
    "metadata",
    "reversal_of",
    "created_at",
)


def _entry(row: Any) -> dict[str, Any]:
    return {
        "transfer_id": str(row.transfer_id),
        "operation": row.operation,
        "amount": row.amount,
        "balance_after": row.balance_after,
        "version": row.version,
        "counterparty": row.counterparty,
        "nonce": row.nonce,
        "metadata": row.metadata,
        "reversal_of": row.reversal_of and str(row.reversal_of),
        "created_at": row.created_at.isoformat(),
    }


def _csv_row(entry: dict[str, Any]) -> dict[str, Any]:
    nonce: str = entry["nonce"]
    note = entry["metadata"]
    return {
        **entry,
        "nonce": f"'{nonce}" if nonce.startswith(_FORMULA) else nonce,
        "metadata": "" if note is None else orjson.dumps(note).decode(),
    }
