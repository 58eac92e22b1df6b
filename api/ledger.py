"""The ledger on the wire: writes become jobs, reads are answered at once."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import falcon
import orjson
from marshmallow import ValidationError
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.bodies import (
    BATCH_ENTRIES_MAX,
    BatchBody,
    OperationBody,
    ReversalBody,
    TransferBody,
    entry_schema,
    owner_name,
)
from api.errors import FAULTS_MAX, Problem, Unprocessable
from api.middleware import require
from api.submissions import Draft, Submissions, idempotency_key
from domain import ledger
from domain.apps import applications
from domain.keys import Principal
from domain.ledger import lane_of, terms_of, writes

FAMILY: Final = "ledger"
_READ: Final = "ledger:read"
_SPEND: Final = "ledger:spend"
_CREDIT: Final = "ledger:credit"
_CSV: Final = "text/csv"
_CSV_PAGE: Final = 1_000
_FILTERS: Final = ("operation", "since", "until")
# What a spreadsheet would run as a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Writes:
    """Where ledger writes go: in, as drafts, to the lane of the account they debit."""

    def __init__(self, submissions: Submissions, *, lanes: int) -> None:
        self._submissions = submissions
        self._lanes = lanes

    def accept(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        *,
        kind: str,
        owner: str,
        payload: dict[str, Any],
    ) -> None:
        """Accept one write that carries a nonce."""
        key = idempotency_key(req, payload.get("nonce"))
        if key is None:
            raise Unprocessable(
                [{"pointer": "/nonce", "detail": "Send a nonce or Idempotency-Key."}]
            )
        draft = Draft(
            kind=kind,
            lane=self.lane(req, owner),
            payload={**payload, "nonce": key},
            key=key,
            family=FAMILY,
        )
        self._submissions.accept(req, resp, draft)

    def accept_batch(
        self, req: falcon.Request, resp: falcon.Response, payload: dict[str, Any]
    ) -> None:
        """Accept a batch; those of one caller apply in the order accepted."""
        principal: Principal = req.context.principal
        draft = Draft(
            kind=writes.POST_BATCH,
            lane=self.lane(req, str(principal.id)),
            payload=payload,
            key=idempotency_key(req),
            family=f"{FAMILY}.batch",
            size=len(payload["entries"]),
        )
        self._submissions.accept(req, resp, draft)

    def lane(self, req: falcon.Request, owner: str) -> int:
        """Return the lane of an owner of the caller's application."""
        return lane_of(req.context.principal.application, owner, self._lanes)


def check_operation(principal: Principal, entry: Mapping[str, Any], at: str) -> None:
    """Refuse an unknown operation, one out of scope, or an amount not its own."""
    terms = terms_of(principal.application, entry["operation"])
    if terms.scope not in principal.scopes:
        raise Problem(
            403,
            "missing_scope",
            f"{entry['operation']} needs a key with the scope {terms.scope}.",
            scope=terms.scope,
        )
    if "amount" in entry and entry["amount"] != terms.amount:
        detail = f"{entry['operation']} is worth {terms.amount}; leave amount out."
        raise Unprocessable([{"pointer": f"{at}/amount", "detail": detail}])


class Operations:
    """POST /ledger."""

    def __init__(self, writes_: Writes) -> None:
        self._writes = writes_
        self._schema = OperationBody()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept one operation on one owner."""
        principal = require(req, _SPEND)
        body = media.load(self._schema, media.read_json(req))
        check_operation(principal, body, "")
        body.pop("amount", None)
        self._writes.accept(
            req, resp, kind=writes.POST_OPERATION, owner=body["owner_id"], payload=body
        )


class OperationList:
    """GET /ledger/operations."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show what the caller's application can do, and for how many credits."""
        principal = require(req, _READ)
        operations = [
            {
                "operation": member.name,
                "amount": member.terms.amount,
                "once": member.terms.once and member.terms.once.value,
                "scope": member.terms.scope,
            }
            for member in applications()[principal.application]
        ]
        shown = {"application": principal.application, "operations": operations}
        media.show(req, resp, shown)


class Batches:
    """POST /ledger/batches."""

    def __init__(self, writes_: Writes) -> None:
        self._writes = writes_
        self._schema = BatchBody()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept up to 5,000 writes, as JSON or one a line."""
        principal = require(req, _SPEND)
        query.allow(req, "atomic")
        kind = media.require_media(req, media.JSON, media.NDJSON)
        raw = media.read_body(req)
        body = self._lines(req, raw) if kind == media.NDJSON else self._json(req, raw)
        count = len(body["entries"])
        if not 1 <= count <= BATCH_ENTRIES_MAX:
            detail = f"1 to {BATCH_ENTRIES_MAX} entries, not {count}."
            raise Unprocessable([{"pointer": "/entries", "detail": detail}])
        body["entries"] = _entries(principal, body["entries"])
        self._writes.accept_batch(req, resp, body)

    def _json(self, req: falcon.Request, raw: bytes) -> dict[str, Any]:
        if req.get_param("atomic") is not None:
            raise query.refuse("atomic", "Say it in the body; this is for NDJSON.")
        body: dict[str, Any] = media.load(self._schema, media.parse(raw))
        return body

    def _lines(self, req: falcon.Request, raw: bytes) -> dict[str, Any]:
        lines = [line for line in raw.splitlines() if line.strip()]
        if len(lines) > BATCH_ENTRIES_MAX:
            detail = f"1 to {BATCH_ENTRIES_MAX} entries, not {len(lines)}."
            raise Unprocessable([{"pointer": "/entries", "detail": detail}])
        entries = [media.parse(line, f"/entries/{n}") for n, line in enumerate(lines)]
        atomic = query.one_of(req, "atomic", "true", "false") == "true"
        return {"entries": entries, "atomic": atomic}


def _entries(principal: Principal, entries: list[Any]) -> list[dict[str, Any]]:
    """Return every entry as its schema has it, or answer 422 for the first faults."""
    loaded: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    for index, entry in enumerate(entries):
        pointer = f"/entries/{index}"
        try:
            loaded.append(_load_entry(principal, entry, pointer))
        except ledger.UnknownOperation as error:
            errors.append({"pointer": f"{pointer}/operation", "detail": error.detail})
        except Unprocessable as error:
            errors += error.fields["errors"]
        if len(errors) >= FAULTS_MAX:
            break
    if errors:
        raise Unprocessable(errors)
    return loaded


def _load_entry(principal: Principal, entry: Any, pointer: str) -> dict[str, Any]:
    body: dict[str, Any] = media.load(entry_schema(entry), entry, pointer)
    if "operation" in body:
        check_operation(principal, body, pointer)
        body.pop("amount", None)
    return body


class Transfers:
    """POST /ledger/transfers."""

    def __init__(self, writes_: Writes) -> None:
        self._writes = writes_
        self._schema = TransferBody()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept a transfer between two owners."""
        require(req, _SPEND)
        body = media.load(self._schema, media.read_json(req))
        if body["from"] == body["to"]:
            raise ledger.SameAccount
        self._writes.accept(
            req, resp, kind=writes.POST_TRANSFER, owner=body["from"], payload=body
        )


class TransferItem:
    """GET /ledger/transfers/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, transfer_id: UUID
    ) -> None:
        """Show one transfer with both its sides."""
        principal = require(req, _READ)
        with self._sessions() as session:
            found = ledger.find_transfer(
                session, transfer_id, application=principal.application
            )
        media.show(req, resp, found.describe())


class Reversals:
    """POST /ledger/transfers/{id}/reversal."""

    def __init__(self, writes_: Writes, sessions: sessionmaker[Session]) -> None:
        self._writes = writes_
        self._sessions = sessions
        self._schema = ReversalBody()

    def on_post(
        self, req: falcon.Request, resp: falcon.Response, transfer_id: UUID
    ) -> None:
        """Accept the reversal of a transfer that exists."""
        principal = require(req, _CREDIT)
        body = media.load(self._schema, media.read_json(req))
        with self._sessions() as session:
            original = ledger.find_transfer(
                session, transfer_id, application=principal.application
            )
        self._writes.accept(
            req,
            resp,
            kind=writes.REVERSE_TRANSFER,
            # The account that now pays, unless it is the ledger's own.
            owner=original.credit_owner
            if not ledger.is_system(original.credit_owner)
            else original.debit_owner,
            payload={**body, "transfer_id": str(transfer_id)},
        )


class Balances:
    """GET /ledger/{owner_id} and /balance/{owner_id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(self, req: falcon.Request, resp: falcon.Response, owner_id: str) -> None:
        """Show an owner's balance, now or at an earlier time."""
        principal = require(req, _READ)
        query.allow(req, "at")
        _require_owner(owner_id)
        with self._sessions() as session:
            found = ledger.balance(
                session,
                application=principal.application,
                owner=owner_id,
                at=query.instant(req, "at"),
            )
        updated = found.last_updated
        shown = {
            "owner_id": owner_id,
            "application": principal.application,
            "balance": found.balance,
            "version": found.version,
            "last_updated": updated and updated.isoformat(),
        }
        media.show(req, resp, shown)


def _require_owner(owner_id: str) -> None:
    try:
        owner_name(owner_id.removeprefix("@"))
    except ValidationError:
        raise falcon.HTTPNotFound(description="No owner can have this name.") from None


class TrialBalances:
    """GET /ledger/trial-balance."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show that the application's books balance."""
        principal = require(req, _READ)
        as_of = datetime.now(UTC)
        with self._sessions() as session:
            found = ledger.trial_balance(session, application=principal.application)
        resp.media = {
            "application": principal.application,
            "sum": found.sum,
            "accounts": found.accounts,
            "transfers": found.transfers,
            "as_of": as_of.isoformat(),
        }


class Entries:
    """GET /ledger/{owner_id}/entries."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(self, req: falcon.Request, resp: falcon.Response, owner_id: str) -> None:
        """Show a page of an owner's entries, or the whole statement as CSV."""
        principal = require(req, _READ)
        as_csv = req.client_prefers([media.JSON, _CSV]) == _CSV
        # A statement in CSV is whole: one cut short without a word would be false.
        query.allow(req, *_FILTERS, *(() if as_csv else ("limit", "cursor")))
        resp.append_header("Vary", "Accept")
        _require_owner(owner_id)
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
            resp.content_type = f"{_CSV}; charset=utf-8"
            resp.set_header(
                "Content-Disposition", 'attachment; filename="statement.csv"'
            )
            resp.stream = self._csv(filters)
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
