"""Wallets of people: an address, and a public key whose holder proved to be them.

No private key is ever known here.
"""

from domain.wallets.keeping import (
    WALLETS_MAX,
    create,
    find,
    find_to_change,
    make_primary,
    page,
    remove,
)
from domain.wallets.proofs import (
    CHALLENGE_LIFETIME,
    challenge,
    demand_signatures,
    has_proved,
    proof_message,
    prove,
    signing_key,
    to_prove,
)
from domain.wallets.record import (
    LastProvedWallet,
    NoChallenge,
    NoProvedWallet,
    NoSuchWallet,
    TooManyWallets,
    Wallet,
    WalletExists,
    WalletWithoutKey,
)

__all__ = [
    "CHALLENGE_LIFETIME",
    "WALLETS_MAX",
    "LastProvedWallet",
    "NoChallenge",
    "NoProvedWallet",
    "NoSuchWallet",
    "TooManyWallets",
    "Wallet",
    "WalletExists",
    "WalletWithoutKey",
    "challenge",
    "create",
    "demand_signatures",
    "find",
    "find_to_change",
    "has_proved",
    "make_primary",
    "page",
    "proof_message",
    "prove",
    "remove",
    "signing_key",
    "to_prove",
]
