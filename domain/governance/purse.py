"""The treasury's purse: a shard of it in each lane, none of which sinks below zero.

What a payment lacks in the shard it is made from comes from the others first.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.ledger import TREASURY, Account, AccountKey, InsufficientCredits
from domain.principals import PEOPLES_APPLICATION

_SHARDS: Final = sa.select(Account.application, Account.owner, Account.shard).where(
    Account.application == PEOPLES_APPLICATION, Account.owner == TREASURY
)


def purse_of(lane: int) -> AccountKey:
    """Return the shard of the treasury that a lane pays from."""
    return AccountKey(PEOPLES_APPLICATION, TREASURY, lane)


def shards(session: Session) -> list[AccountKey]:
    """Return the shards of the treasury, each to be locked before it is relied on."""
    return [AccountKey(*row) for row in session.execute(_SHARDS)]


def gather(
    held: Mapping[AccountKey, int], purse: AccountKey, amount: int
) -> Iterator[tuple[AccountKey, int]]:
    """Yield which shards give how much, until one of them has enough."""
    lacking = amount - held[purse]
    for shard in sorted(held.keys() - {purse}):
        moved = min(lacking, held[shard])
        if moved > 0:
            yield shard, moved
            lacking -= moved


def require(available: int, amount: int) -> None:
    """Raise InsufficientCredits unless the treasury has so much."""
    if available < amount:
        raise InsufficientCredits(
            f"The treasury has {available} credits and this needs {amount}.",
            available=available,
            needed=amount,
        )
