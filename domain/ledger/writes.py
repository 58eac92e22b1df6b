"""Ledger writes as jobs: from what was accepted to what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from domain.apps import REVERSAL, TRANSFER
from domain.errors import Conflict, DomainError
from domain.jobs import Claim, Outcome
from domain.ledger.accounts import BOUNTY, TREASURY
from domain.ledger.books import Batch, BatchRefused, Decision, post
from domain.ledger.postings import (
    Origin,
    Posting,
    operation_posting,
    reversal_posting,
    transfer_posting,
)
from domain.ledger.transfers import NoSuchTransfer, TransferRow, existing

POST_OPERATION: Final = "ledger.post_operation"
POST_TRANSFER: Final = "ledger.post_transfer"
POST_BATCH: Final = "ledger.post_batch"
REVERSE_TRANSFER: Final = "ledger.reverse_transfer"


class NotReversible(Conflict):
    """This transfer is not undone by another."""

    code = "not_reversible"


def apply(
    session: Session, claims: Sequence[Claim], *, lane: int, now: datetime
) -> list[Outcome]:
    """Apply operations, transfers and batches together, in the order given."""
    batches = [_batch(claim, lane) for claim in claims]
    decided = post(session, batches, now=now)
    return [
        _batch_outcome(claim, decisions)
        if claim.kind == POST_BATCH
        else outcome(claim, decisions[0])
        for claim, decisions in zip(claims, decided, strict=True)
    ]


def reverse(
    session: Session, claims: Sequence[Claim], *, lane: int, now: datetime
) -> list[Outcome]:
    """Undo transfers, each once, by transfers the other way."""
    originals = existing(session, [UUID(c.payload["transfer_id"]) for c in claims])

    def posting(claim: Claim) -> Posting | DomainError:
        original = originals.get(UUID(claim.payload["transfer_id"]))
        if original is None or original.application != claim.application:
            return NoSuchTransfer()
        if why := _irreversible(original):
            return NotReversible(why)
        return reversal_posting(
            origin_of(claim, lane),
            reversed_id=original.id,
            debit=original.debit,
            credit=original.credit,
            amount=original.amount,
            nonce=claim.payload["nonce"],
            reason=claim.payload["reason"],
        )

    decided = post(session, [Batch([posting(claim)]) for claim in claims], now=now)
    return [outcome(claim, d[0]) for claim, d in zip(claims, decided, strict=True)]


def _irreversible(original: TransferRow) -> str | None:
    """Return why a transfer is not reversed, if it is not."""
    if original.operation == REVERSAL:
        return "A reversal is not itself reversed; make a new transfer."
    owners = {original.debit_owner, original.credit_owner}
    if any(owner.startswith(BOUNTY) for owner in owners):
        return "What a bounty holds goes back when it is closed."
    # No caller names the treasury: votes are paid like this, and spends decided on.
    if original.operation == TRANSFER and TREASURY in owners:
        return (
            "What votes cost, and what was decided to spend, goes back by a vote: "
            "take the votes back, or propose it."
        )
    return None


def origin_of(claim: Claim, lane: int) -> Origin:
    """Return where a job's postings come from."""
    if claim.application is None or claim.principal is None:
        raise TypeError(f"job {claim.id} writes to the ledger for nobody")
    return Origin(
        application=claim.application,
        principal=claim.principal,
        job_id=claim.id,
        lane=lane,
        accepted_at=claim.submitted_at,
    )


def outcome(claim: Claim, decision: Decision) -> Outcome:
    """Return the outcome of a job that is one posting."""
    if isinstance(decision, DomainError):
        return Outcome(claim.id, refusal=decision)
    return Outcome(
        claim.id,
        result={
            "transfer": decision.transfer.describe(),
            "balance": decision.balance,
        },
    )


def _batch(claim: Claim, lane: int) -> Batch:
    origin = origin_of(claim, lane)
    if claim.kind == POST_BATCH:
        postings = [_posting(origin, entry) for entry in claim.payload["entries"]]
        return Batch(postings, atomic=claim.payload["atomic"])
    return Batch([_posting(origin, claim.payload)])


def _posting(origin: Origin, entry: Mapping[str, Any]) -> Posting | DomainError:
    try:
        if "operation" in entry:
            return operation_posting(
                origin,
                owner=entry["owner_id"],
                operation=entry["operation"],
                nonce=entry["nonce"],
                metadata=entry.get("metadata"),
            )
        return transfer_posting(
            origin,
            source=entry["from"],
            target=entry["to"],
            amount=entry["amount"],
            nonce=entry["nonce"],
            metadata=entry.get("metadata"),
        )
    except DomainError as error:
        return error


def _batch_outcome(claim: Claim, decisions: Sequence[Decision]) -> Outcome:
    atomic = claim.payload["atomic"]
    outcomes = list(_entry_outcomes(decisions))
    counts = {
        state: sum(1 for o in outcomes if o["state"] == state)
        for state in ("applied", "replayed", "refused")
    }
    if atomic and counts["refused"]:
        errors = [
            {"pointer": f"/entries/{o['index']}", **o["problem"]}
            for o in outcomes
            if o["state"] == "refused"
        ]
        return Outcome(claim.id, refusal=BatchRefused(errors=errors))
    return Outcome(claim.id, result={"atomic": atomic, **counts, "outcomes": outcomes})


def _entry_outcomes(decisions: Sequence[Decision]) -> Iterator[dict[str, Any]]:
    for index, decision in enumerate(decisions):
        if isinstance(decision, DomainError):
            yield {
                "index": index,
                "state": "refused",
                "problem": decision.description(),
            }
        else:
            yield {
                "index": index,
                "state": "replayed" if decision.replayed else "applied",
                "transfer": str(decision.transfer.id),
                "balance": decision.balance,
            }
