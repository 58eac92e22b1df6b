"""Ledger writes: checked, then accepted as jobs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import falcon
import orjson
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.bodies import (
    A_WRITE,
    BATCH_ENTRIES_MAX,
    BatchBody,
    OperationBody,
    ReversalBody,
    TransferBody,
    entry_schema,
)
from api.errors import FAULTS_MAX, Unprocessable
from api.figures import count_operations
from api.limits import charge_entries
from api.openapi.describing import describes_write
from api.permissions import missing_scope, principal_of, require_own
from api.shapes.ledger import BatchOutcome, Written
from api.signatures import REFUSES_UNSIGNED, Signatures
from api.submissions import Draft, Submissions, idempotency_key
from domain import content, ledger
from domain.apps import REVERSAL, TRANSFER, Terms
from domain.ledger import lane_of, terms_of, writes

FAMILY: Final = "ledger"
_CREDIT: Final = "ledger:credit"
# What is not named in the body. An entry of a batch without a name is a transfer.
_OPERATIONS: Final = {
    writes.REVERSE_TRANSFER: REVERSAL,
    content.CREATE_CONTENT: content.CREATION,
    content.ACCESS_CONTENT: content.ACCESS,
}


class Writes:
    """Where ledger writes go: in, as drafts, to the lane of the account they debit."""

    def __init__(
        self, submissions: Submissions, signatures: Signatures, *, lanes: int
    ) -> None:
        self._submissions = submissions
        self._signatures = signatures
        self._lanes = lanes

    def accept(  # noqa: PLR0913  what a write consists of
        self,
        req: falcon.Request,
        resp: falcon.Response,
        *,
        kind: str,
        owner: str,
        takes: bool,
        payload: dict[str, Any],
    ) -> None:
        """Accept one write that carries a nonce.

        `takes`: whether it takes credits of the owner, who may demand to sign that.
        """
        key = idempotency_key(req, payload.get("nonce"))
        if key is None:
            raise Unprocessable(
                [{"pointer": "/nonce", "detail": "Send a nonce or Idempotency-Key."}]
            )
        if takes:
            self._signatures.require(req, (owner,))
        draft = Draft(
            kind=kind,
            lane=self.lane(req, owner),
            payload={**payload, "nonce": key},
            key=key,
            family=FAMILY,
        )
        self._submit(req, resp, draft, {_operation_of(kind, payload): 1})

    def accept_batch(
        self, req: falcon.Request, resp: falcon.Response, payload: dict[str, Any]
    ) -> None:
        """Accept a batch; those of one caller apply in the order accepted."""
        principal = principal_of(req)
        taken = _debited(principal.application, payload["entries"])
        self._signatures.require(req, taken)
        draft = Draft(
            kind=writes.POST_BATCH,
            lane=self.lane(req, str(principal.id)),
            payload=payload,
            key=idempotency_key(req),
            family=f"{FAMILY}.batch",
            size=len(payload["entries"]),
        )
        named = [_operation_of(draft.kind, entry) for entry in payload["entries"]]
        self._submit(req, resp, draft, Counter(named))

    def _submit(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        draft: Draft,
        operations: Mapping[str, int],
    ) -> None:
        if self._submissions.accept(req, resp, draft):
            count_operations(principal_of(req).application, operations)

    def lane(self, req: falcon.Request, owner: str) -> int:
        """Return the lane of an owner of the caller's application."""
        return lane_of(req.context.principal.application, owner, self._lanes)


def _operation_of(kind: str, payload: Mapping[str, Any]) -> str:
    """Return the operation of one write, named by it or meant by its kind."""
    operation: str = payload.get("operation") or _OPERATIONS.get(kind, TRANSFER)
    return operation


def _debited(application: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the owners of whom these entries take credits."""
    for entry in entries:
        if "from" in entry:
            yield entry["from"]
        elif terms_of(application, entry["operation"]).amount < 0:
            yield entry["owner_id"]


def check_operation(req: falcon.Request, entry: Mapping[str, Any], at: str) -> Terms:
    """Refuse an unknown operation, one out of scope, or an amount not its own."""
    principal = principal_of(req)
    terms = terms_of(principal.application, entry["operation"])
    if terms.scope not in principal.scopes:
        raise missing_scope(terms.scope, principal, entry["operation"])
    # Of others' accounts nobody takes; what gives is for operators.
    if terms.scope != _CREDIT or not req.context.anyones:
        require_own(principal, entry["owner_id"])
    if "amount" in entry and entry["amount"] != terms.amount:
        detail = f"{entry['operation']} is worth {terms.amount}; leave amount out."
        raise Unprocessable([{"pointer": f"{at}/amount", "detail": detail}])
    return terms


class Operations:
    """POST /ledger."""

    def __init__(self, writes_: Writes) -> None:
        self._writes = writes_
        self._schema = OperationBody()

    @describes_write(
        OperationBody,
        Written,
        refuses=[
            *("not_your_account", "unknown_operation", "insufficient_credits"),
            *("already_claimed", *REFUSES_UNSIGNED),
        ],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept one operation on one owner."""
        body = media.load(self._schema, media.read_json(req))
        terms = check_operation(req, body, "")
        body.pop("amount", None)
        self._writes.accept(
            req,
            resp,
            kind=writes.POST_OPERATION,
            owner=body["owner_id"],
            takes=terms.amount < 0,
            payload=body,
        )


class Batches:
    """POST /ledger/batches."""

    def __init__(self, writes_: Writes) -> None:
        self._writes = writes_
        self._schema = BatchBody()

    @describes_write(
        {media.JSON: BatchBody, media.NDJSON: orjson.dumps(A_WRITE).decode()},
        BatchOutcome,
        query=["atomic"],
        refuses=["not_your_account", "batch_refused", *REFUSES_UNSIGNED],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept up to 5,000 writes, as JSON or one a line."""
        query.allow(req, "atomic")
        kind = media.require_media(req, media.JSON, media.NDJSON)
        raw = media.read_body(req)
        body = self._lines(req, raw) if kind == media.NDJSON else self._json(req, raw)
        count = len(body["entries"])
        if not 1 <= count <= BATCH_ENTRIES_MAX:
            detail = f"1 to {BATCH_ENTRIES_MAX} entries, not {count}."
            raise Unprocessable([{"pointer": "/entries", "detail": detail}])
        charge_entries(req, resp, count)
        body["entries"] = _entries(req, body["entries"])
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


def _entries(req: falcon.Request, entries: list[Any]) -> list[dict[str, Any]]:
    """Return every entry as its schema has it, or answer 422 for the first faults."""
    loaded: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    for index, entry in enumerate(entries):
        pointer = f"/entries/{index}"
        try:
            loaded.append(_load_entry(req, entry, pointer))
        except ledger.UnknownOperation as error:
            errors.append({"pointer": f"{pointer}/operation", "detail": error.detail})
        except Unprocessable as error:
            errors += error.fields["errors"]
        if len(errors) >= FAULTS_MAX:
            break
    if errors:
        raise Unprocessable(errors)
    return loaded


def _load_entry(req: falcon.Request, entry: Any, pointer: str) -> dict[str, Any]:
    body: dict[str, Any] = media.load(entry_schema(entry), entry, pointer)
    if "operation" in body:
        check_operation(req, body, pointer)
        body.pop("amount", None)
    else:
        require_own(principal_of(req), body["from"])
    return body


class Transfers:
    """POST /ledger/transfers."""

    def __init__(self, writes_: Writes) -> None:
        self._writes = writes_
        self._schema = TransferBody()

    @describes_write(
        TransferBody,
        Written,
        refuses=[
            *("not_your_account", "same_account", "insufficient_credits"),
            *REFUSES_UNSIGNED,
        ],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept a transfer between two owners."""
        body = media.load(self._schema, media.read_json(req))
        if body["from"] == body["to"]:
            raise ledger.SameAccount
        require_own(principal_of(req), body["from"])
        self._writes.accept(
            req,
            resp,
            kind=writes.POST_TRANSFER,
            owner=body["from"],
            takes=True,
            payload=body,
        )


class Reversals:
    """POST /ledger/transfers/{id}/reversal."""

    def __init__(self, writes_: Writes, sessions: sessionmaker[Session]) -> None:
        self._writes = writes_
        self._sessions = sessions
        self._schema = ReversalBody()

    @describes_write(
        ReversalBody,
        Written,
        refuses=[
            *("no_such_transfer", "already_reversed", "not_reversible"),
            "insufficient_credits",
        ],
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, transfer_id: UUID
    ) -> None:
        """Accept the reversal of a transfer that exists."""
        principal = principal_of(req)
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
            # Who profited from a mistake is not asked whether it may be corrected.
            takes=False,
            payload={**body, "transfer_id": str(transfer_id)},
        )
