"""Reading the books: operations, transfers, balances, the trial balance."""

from datetime import UTC, datetime
from uuid import UUID

import falcon
from marshmallow import ValidationError
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.bodies import owner_name
from api.permissions import principal_of, readable, require_readable
from domain import ledger
from domain.apps import applications


class OperationList:
    """GET /ledger/operations."""

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

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def on_get(self, req: falcon.Request, resp: falcon.Response, owner_id: str) -> None:
        """Show an owner's balance, now or at an earlier time."""
        principal = principal_of(req)
        query.allow(req, "at")
        require_owner(owner_id)
        require_readable(req, owner_id)
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
