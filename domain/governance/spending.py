"""Spending: quadratic votes are paid for, n votes for one thing with n² credits.

Credits go from the voter's account to the treasury and, for fewer votes, back. What a
voter may spend in a season is a budget over all the quadratic votes of it.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.apps import TRANSFER
from domain.governance.purse import gather, purse_of, require, shards
from domain.governance.refusals import SeasonBudgetSpent
from domain.governance.voting_record import VoteSpending
from domain.ids import derived_id
from domain.jobs import Claim
from domain.ledger import (
    TREASURY,
    AccountKey,
    Batch,
    InsufficientCredits,
    Posted,
    Posting,
    accounts,
    post,
)
from domain.ledger.postings import OWNER_SHARD
from domain.principals import PEOPLES_APPLICATION

# The method whose votes cost credits.
QUADRATIC: Final = "quadratic"
_MONTHS: Final = 3


@dataclass(frozen=True, slots=True)
class Price:
    """What a ballot costs in all, and what its voter may spend in the season."""

    proposal_id: UUID
    voter: UUID
    credits: int
    season: str
    budget: int


def season_of(opening: datetime) -> str:
    """Return the quarter, by UTC, in which voting opened."""
    day = opening.astimezone(UTC)
    return f"{day.year}Q{(day.month - 1) // _MONTHS + 1}"


class Purses:
    """The accounts of those who vote, and what they spent, locked while a batch lasts.

    The lock comes first: what another batch has spent meanwhile is seen after it.
    """

    def __init__(
        self, session: Session, voters: Collection[UUID], *, lane: int, now: datetime
    ) -> None:
        self._session, self._now = session, now
        self._treasury = purse_of(lane)
        keys = [account_of(voter) for voter in voters]
        locked = accounts.lock(session, [*keys, self._treasury], now=now)
        self._left = {key: one.available() or 0 for key, one in locked.items()}
        self._spent: dict[tuple[UUID, str], dict[UUID, int]] = defaultdict(dict)
        for row in session.execute(_spent_by(voters)):
            self._spent[row.voter_id, row.season][row.proposal_id] = int(row.credits)
        self._postings: list[Posting] = []
        self._rows: list[dict[str, Any]] = []

    def pay(self, claim: Claim, price: Price) -> None:
        """Note what a ballot costs beyond the one before it, or raise why it cannot."""
        season = self._spent[price.voter, price.season]
        before = season.get(price.proposal_id, 0)
        others = sum(season.values()) - before
        # Who takes votes back is given credits, whatever was spent elsewhere since.
        if price.credits > before and others + price.credits > price.budget:
            left = max(0, price.budget - others)
            raise SeasonBudgetSpent(
                f"These votes cost {price.credits} credits, and of your budget "
                f"for {price.season} {left} are left.",
                available=left,
                needed=price.credits,
            )
        if change := price.credits - before:
            self._move(claim, price, change)
        season[price.proposal_id] = price.credits

    def _move(self, claim: Claim, price: Price, change: int) -> None:
        account = account_of(price.voter)
        debit, credit = account, self._treasury
        if change < 0:
            debit, credit = self._treasury, account
            self._gather(claim, price, -change)
        if self._left[debit] < abs(change):
            raise InsufficientCredits(
                f"{debit.owner} has {self._left[debit]} credits available "
                f"and this needs {abs(change)}.",
                available=self._left[debit],
                needed=abs(change),
            )
        posting = self._post(claim, price, debit, credit, abs(change))
        self._rows.append(
            {
                "transfer_id": posting.id,
                "proposal_id": price.proposal_id,
                "voter_id": price.voter,
                "season": price.season,
                "credits": change,
            }
        )

    def _gather(self, claim: Claim, price: Price, amount: int) -> None:
        """Bring together in the lane's shard of the treasury what is to be given back.

        Where that has been spent, by what was decided or in another lane, the other
        shards have it.
        """
        if self._left[self._treasury] >= amount:
            return
        others = set(shards(self._session)) - self._left.keys()
        locked = accounts.lock(self._session, others, now=self._now)
        self._left |= {key: one.balance for key, one in locked.items()}
        held = {key: left for key, left in self._left.items() if key.owner == TREASURY}
        require(sum(held.values()), amount)
        for shard, moved in gather(held, self._treasury, amount):
            self._post(claim, price, shard, self._treasury, moved)

    def _post(
        self,
        claim: Claim,
        price: Price,
        debit: AccountKey,
        credit: AccountKey,
        amount: int,
    ) -> Posting:
        """Note a posting: with its voter a ballot has one, and one a shard within."""
        within = [debit.shard] if debit.owner == credit.owner else []
        posting = Posting(
            id=derived_id("governance.spending", claim.id, *within),
            job_id=claim.id,
            operation=TRANSFER,
            debit=debit,
            credit=credit,
            amount=amount,
            nonce=":".join(map(str, ("vote", claim.id, *within))),
            subject=account_of(price.voter) if not within else credit,
            metadata={"proposal_id": str(price.proposal_id)},
        )
        self._left[debit] -= amount
        self._left[credit] += amount
        self._postings.append(posting)
        return posting

    def settle(self) -> None:
        """Post what was noted."""
        if not self._postings:
            return
        batches = [Batch([posting]) for posting in self._postings]
        for (decision,) in post(self._session, batches, now=self._now):
            if not isinstance(decision, Posted) or decision.replayed:
                raise RuntimeError(f"a vote could not be paid for: {decision}")
        self._session.execute(sa.insert(VoteSpending), self._rows)


def account_of(voter: UUID) -> AccountKey:
    """Return the account that a person votes with."""
    return AccountKey(PEOPLES_APPLICATION, str(voter), OWNER_SHARD)


def _spent_by(voters: Collection[UUID]) -> sa.Select[UUID, str, UUID, int]:
    named = (VoteSpending.voter_id, VoteSpending.season, VoteSpending.proposal_id)
    total = sa.func.sum(VoteSpending.credits).label("credits")
    chosen = sa.select(*named, total).where(VoteSpending.voter_id.in_(voters))
    return chosen.group_by(*named)
