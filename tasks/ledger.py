"""The ledger queue: everything that moves credits."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from domain import content
from domain.bounties import holding
from domain.jobs import Claim, Outcome
from domain.ledger import writes
from tasks._registry import batch_job


@batch_job(writes.POST_OPERATION, writes.POST_TRANSFER, writes.POST_BATCH)
def post(
    session: Session, claims: Sequence[Claim], /, *, lane: int, now: datetime
) -> list[Outcome]:
    """Post operations, transfers and batches."""
    return writes.apply(session, claims, lane=lane, now=now)


@batch_job(writes.REVERSE_TRANSFER)
def reverse(
    session: Session, claims: Sequence[Claim], /, *, lane: int, now: datetime
) -> list[Outcome]:
    """Reverse transfers."""
    return writes.reverse(session, claims, lane=lane, now=now)


@batch_job(content.CREATE_CONTENT)
def create_content(
    session: Session, claims: Sequence[Claim], /, *, lane: int, now: datetime
) -> list[Outcome]:
    """Publish content and charge its owner."""
    return content.create(session, claims, lane=lane, now=now)


@batch_job(content.ACCESS_CONTENT)
def access_content(
    session: Session, claims: Sequence[Claim], /, *, lane: int, now: datetime
) -> list[Outcome]:
    """Count a reading of content."""
    return content.access(session, claims, lane=lane, now=now)


@batch_job(holding.CREATE)
def create_bounty(
    session: Session, claims: Sequence[Claim], /, *, lane: int, now: datetime
) -> list[Outcome]:
    """Hold the credits of new bounties."""
    return holding.create(session, claims, lane=lane, now=now)


@batch_job(holding.PAY)
def pay_bounty(
    session: Session, claims: Sequence[Claim], /, *, lane: int, now: datetime
) -> list[Outcome]:
    """Pay those whose claims to bounties are accepted."""
    return holding.pay(session, claims, lane=lane, now=now)


@batch_job(holding.CLOSE)
def close_bounty(
    session: Session, claims: Sequence[Claim], /, *, lane: int, now: datetime
) -> list[Outcome]:
    """Close bounties and return what is left."""
    return holding.close(session, claims, lane=lane, now=now)
