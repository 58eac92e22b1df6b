"""The ledger on the wire: writes become jobs, reads are answered at once."""

from api.ledger.reading import Balances, OperationList, TransferItem, TrialBalances
from api.ledger.statements import Entries
from api.ledger.writing import Batches, Operations, Reversals, Transfers, Writes

__all__ = [
    "Balances",
    "Batches",
    "Entries",
    "OperationList",
    "Operations",
    "Reversals",
    "TransferItem",
    "Transfers",
    "TrialBalances",
    "Writes",
]
