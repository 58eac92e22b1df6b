"""The ledger on the wire: writes become jobs, reads are answered at once."""

from typing import Any

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.cache import Cache
from api.ledger.reading import Balances, OperationList, TransferItem, TrialBalances
from api.ledger.statements import Entries
from api.ledger.writing import Batches, Operations, Reversals, Transfers, Writes

__all__ = ["Writes", "add_routes"]


def add_routes(
    app: falcon.App[Any, Any],
    writes: Writes,
    sessions: sessionmaker[Session],
    cache: Cache,
) -> None:
    """Serve the ledger."""
    app.add_route("/ledger", Operations(writes))
    app.add_route("/ledger/operations", OperationList())
    app.add_route("/ledger/batches", Batches(writes))
    app.add_route("/ledger/trial-balance", TrialBalances(sessions))
    app.add_route("/ledger/transfers", Transfers(writes))
    app.add_route("/ledger/transfers/{transfer_id:uuid}", TransferItem(sessions))
    app.add_route(
        "/ledger/transfers/{transfer_id:uuid}/reversal",
        Reversals(writes, sessions),
    )
    app.add_route("/ledger/{owner_id}", Balances(sessions, cache))
    app.add_route("/ledger/{owner_id}/entries", Entries(sessions))
    app.add_route("/balance/{owner_id}", Balances(sessions, cache))
