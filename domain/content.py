"""Content of applications that sell publishing for credits and count its reading."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.db import Base
from domain.errors import DomainError, NotFound
from domain.jobs import Claim, Outcome
from domain.ledger import Batch, Posted, Posting, operation_posting, post
from domain.ledger.writes import origin_of, outcome

CREATE_CONTENT: Final = "ledger.create_content"
ACCESS_CONTENT: Final = "ledger.access_content"


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
            operation="CONTENT_CREATION",
            nonce=claim.payload["nonce"],
            metadata={"title": claim.payload.get("title")},
        )
        for claim in claims
    ]
    decided = post(session, [Batch([posting]) for posting in postings], now=now)
    return [
        _created(session, claim, decisions[0])
        for claim, decisions in zip(claims, decided, strict=True)
    ]


def _created(session: Session, claim: Claim, decision: Posted | DomainError) -> Outcome:
    if isinstance(decision, DomainError):
        return outcome(claim, decision)
    transfer = decision.transfer
    content = session.get(Content, transfer.id) or Content(
        id=transfer.id,
        application=transfer.application,
        owner=claim.payload["owner_id"],
        title=claim.payload.get("title"),
        created_at=transfer.created_at,
    )
    session.add(content)
    charged = outcome(claim, decision).result
    return Outcome(claim.id, result={"content": content.describe(), **charged})


def access(
    session: Session, claims: Sequence[Claim], *, lane: int, now: datetime
) -> list[Outcome]:
    """Record that content was read; refuse what does not exist."""
    ids = {UUID(claim.payload["content_id"]) for claim in claims}
    found = {
        c.id: c for c in session.scalars(sa.select(Content).where(Content.id.in_(ids)))
    }

    def posting(claim: Claim) -> Posting | DomainError:
        content = found.get(UUID(claim.payload["content_id"]))
        if content is None or content.application != claim.application:
            return NoSuchContent()
        return operation_posting(
            origin_of(claim, lane),
            owner=claim.payload["owner_id"],
            operation="CONTENT_ACCESS",
            nonce=claim.payload["nonce"],
            metadata={"content_id": claim.payload["content_id"]},
        )

    decided = post(session, [Batch([posting(claim)]) for claim in claims], now=now)
    return [outcome(claim, d[0]) for claim, d in zip(claims, decided, strict=True)]
