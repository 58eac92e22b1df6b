"""Content of applications that sell publishing for credits and count its reading."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base
from domain.errors import DomainError, NotFound
from domain.jobs import Claim, Outcome
from domain.ledger import (
    Batch,
    Decision,
    Posted,
    Posting,
    TransferRow,
    operation_posting,
    post,
)
from domain.ledger.writes import origin_of, outcome

CREATE_CONTENT: Final = "ledger.create_content"
ACCESS_CONTENT: Final = "ledger.access_content"
# What they are to the ledger.
CREATION: Final = "CONTENT_CREATION"
ACCESS: Final = "CONTENT_ACCESS"


class NoSuchContent(NotFound):
    """There is no such content in this application."""

    code = "no_such_content"


class Content(Base):
    """One published piece, identified by the transfer its owner paid for it."""

    __tablename__ = "contents"

    id: Mapped[UUID] = mapped_column(sa.ForeignKey("transfers.id"), primary_key=True)
    application: Mapped[str] = mapped_column(sa.Text)
    owner: Mapped[str] = mapped_column(sa.Text)
    title: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))

    def describe(self) -> dict[str, Any]:
        """Return the content as JSON shows it."""
        return {
            "id": str(self.id),
            "application": self.application,
            "owner_id": self.owner,
            "title": self.title,
            "created_at": self.created_at.isoformat(),
        }


def find(session: Session, content_id: UUID, *, application: str) -> Content:
    """Return one content of the application, or raise NoSuchContent."""
    content = session.get(Content, content_id)
    if content is None or content.application != application:
        raise NoSuchContent
    return content


def create(
    session: Session, claims: Sequence[Claim], *, lane: int, now: datetime
) -> list[Outcome]:
    """Charge for and store new content."""
    postings = [
        operation_posting(
            origin_of(claim, lane),
            owner=claim.payload["owner_id"],
            operation=CREATION,
            nonce=claim.payload["nonce"],
            metadata={"title": claim.payload.get("title")},
        )
        for claim in claims
    ]
    batches = [Batch([posting]) for posting in postings]
    decided = [decisions[0] for decisions in post(session, batches, now=now)]
    contents = _store(
        session,
        {
            decision.transfer.id: _content(claim, decision.transfer)
            for claim, decision in zip(claims, decided, strict=True)
            if isinstance(decision, Posted)
        },
    )
    return [
        _created(claim, decision, contents)
        for claim, decision in zip(claims, decided, strict=True)
    ]


def _content(claim: Claim, transfer: TransferRow) -> Content:
    return Content(
        id=transfer.id,
        application=transfer.application,
        owner=claim.payload["owner_id"],
        title=claim.payload.get("title"),
        created_at=transfer.created_at,
    )


def _store(session: Session, wanted: dict[UUID, Content]) -> dict[UUID, Content]:
    """Store what is new; a replay has the content it made the first time."""
    known = _by_id(session, wanted)
    session.add_all(new for key, new in wanted.items() if key not in known)
    return wanted | known


def _created(
    claim: Claim, decision: Decision, contents: dict[UUID, Content]
) -> Outcome:
    charged = outcome(claim, decision)
    if isinstance(decision, DomainError):
        return charged
    content = contents[decision.transfer.id].describe()
    return Outcome(claim.id, result={"content": content, **charged.result})


def access(
    session: Session, claims: Sequence[Claim], *, lane: int, now: datetime
) -> list[Outcome]:
    """Record that content was read; refuse what does not exist."""
    found = _by_id(session, {UUID(claim.payload["content_id"]) for claim in claims})

    def posting(claim: Claim) -> Posting | DomainError:
        content = found.get(UUID(claim.payload["content_id"]))
        if content is None or content.application != claim.application:
            return NoSuchContent()
        return operation_posting(
            origin_of(claim, lane),
            owner=claim.payload["owner_id"],
            operation=ACCESS,
            nonce=claim.payload["nonce"],
            metadata={"content_id": claim.payload["content_id"]},
        )

    decided = post(session, [Batch([posting(claim)]) for claim in claims], now=now)
    return [outcome(claim, d[0]) for claim, d in zip(claims, decided, strict=True)]


def _by_id(session: Session, ids: Collection[UUID]) -> dict[UUID, Content]:
    found = session.scalars(sa.select(Content).where(Content.id.in_(ids)))
    return {content.id: content for content in found}
