"""The ledger: double entry, append only, every batch in a handful of statements."""

from domain.ledger.accounts import (
    ISSUANCE,
    TREASURY,
    Account,
    AccountKey,
    changed,
    is_system,
)
from domain.ledger.books import (
    Batch,
    BatchRefused,
    Decision,
    InsufficientCredits,
    Posted,
    post,
)
from domain.ledger.postings import (
    AlreadyClaimed,
    AlreadyReversed,
    Posting,
    SameAccount,
    UnknownOperation,
    lane_of,
    operation_posting,
    reversal_posting,
    terms_of,
    transfer_posting,
)
from domain.ledger.statements import (
    Balance,
    TrialBalance,
    balance,
    find_transfer,
    statement,
    trial_balance,
)
from domain.ledger.transfers import NoSuchTransfer, Transfer, TransferRow

__all__ = [
    "ISSUANCE",
    "TREASURY",
    "Account",
    "AccountKey",
    "AlreadyClaimed",
    "AlreadyReversed",
    "Balance",
    "Batch",
    "BatchRefused",
    "Decision",
    "InsufficientCredits",
    "NoSuchTransfer",
    "Posted",
    "Posting",
    "SameAccount",
    "Transfer",
    "TransferRow",
    "TrialBalance",
    "UnknownOperation",
    "balance",
    "changed",
    "find_transfer",
    "is_system",
    "lane_of",
    "operation_posting",
    "post",
    "reversal_posting",
    "statement",
    "terms_of",
    "transfer_posting",
    "trial_balance",
]
