"""Reading the books: operations, transfers, balances, the trial balance."""

from datetime import UTC, datetime
from uuid import UUID

import falcon
import orjson
from marshmallow import ValidationError
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.bodies import owner_name
from api.cache import Cache
from api.openapi.describing import describes, describes_item
from api.permissions import principal_of, readable, require_readable
from api.shapes import ledger as shapes
from domain import ledger
from domain.apps import applications


class OperationList:
    """GET /ledger/operations."""

    @describes_item(shapes.OperationList)
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show what the caller's application can do, and for how many credits."""
        principal = principal_of(req)
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


class TransferItem:
    """GET /ledger/transfers/{id}."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_item(shapes.Transfer, refuses=["no_such_transfer", "not_your_account"])
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, transfer_id: UUID
    ) -> None:
        """Show one transfer with both its sides."""
        principal = principal_of(req)
        with self._sessions() as session:
            found = ledger.find_transfer(
                session, transfer_id, application=principal.application
            )
        if not readable(req, found.debit_owner, found.credit_owner):
            raise ledger.NoSuchTransfer
        media.show(req, resp, found.describe())


class Balances:
    """GET /ledger/{owner_id} and /balance/{owner_id}."""

    def __init__(self, sessions: sessionmaker[Session], cache: Cache) -> None:
        self._sessions = sessions
        self._cache = cache

    @describes_item(
        shapes.Balance, query=["at", "min_version"], refuses=["not_your_account"]
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, owner_id: str) -> None:
        """Show an owner's balance, now or at an earlier time."""
        application = principal_of(req).application
        query.allow(req, "at", "min_version")
        require_owner(owner_id)
        require_readable(req, owner_id)
        at, least = query.instant(req, "at"), query.version(req, "min_version")
        if at is None:
            body = self._cache.balance(
                application,
                owner_id,
                lambda: self._load(application, owner_id),
                min_version=least,
            )
        elif least:
            raise query.refuse("min_version", "An earlier time has its own version.")
        else:
            _, body = self._load(application, owner_id, at)
        media.show_body(req, resp, body)

    def _load(
        self, application: str, owner: str, at: datetime | None = None
    ) -> tuple[int, bytes]:
        with self._sessions() as session:
            found = ledger.balance(session, application=application, owner=owner, at=at)
        updated = found.last_updated
        shown = {
            "owner_id": owner,
            "application": application,
            "balance": found.balance,
            "version": found.version,
            "last_updated": updated and updated.isoformat(),
        }
        return found.version, orjson.dumps(shown)


def require_owner(owner_id: str) -> None:
    """Answer 404 for what cannot name an owner."""
    try:
        owner_name(owner_id.removeprefix("@"))
    except ValidationError:
        raise falcon.HTTPNotFound(description="No owner can have this name.") from None


class TrialBalances:
    """GET /ledger/trial-balance."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes({200: shapes.TrialBalance})
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show that the application's books balance."""
        principal = principal_of(req)
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
