"""Texts: what a proposal says, in versions that show what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.governance.record import ProposalText

TITLE_LENGTH: Final = (5, 255)
DESCRIPTION_LENGTH: Final = (20, 20_000)
OPTIONS_MAX: Final = 50
TAGS_MAX: Final = 10
_SIMILAR_MAX: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a proposal says."""

    title: str
    description: str
    options: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    details: Mapping[str, Any]

    @classmethod
    def of(cls, row: ProposalText) -> "Text":
        """Return the text of a row."""
        return cls(
            title=row.title,
            description=row.description,
            options=tuple(row.options),
            tags=tuple(row.tags),
            details=row.details,
        )

    def describe(self) -> dict[str, Any]:
        """Return the text as JSON shows it."""
        return {
            "title": self.title,
            "description": self.description,
            "options": list(self.options),
            "tags": list(self.tags),
            "details": dict(self.details),
        }


def write(  # noqa: PLR0913  what is known of a version
    session: Session,
    proposal_id: UUID,
    version: int,
    text: Text,
    *,
    author: UUID,
    now: datetime,
) -> None:
    """Store a version of a text."""
    session.add(
        ProposalText(
            proposal_id=proposal_id,
            version=version,
            title=text.title,
            description=text.description,
            options=list(text.options),
            tags=sorted(set(text.tags)),
            details=dict(text.details),
            words=sa.func.to_tsvector("simple", f"{text.title} {text.description}"),
            author=author,
            at=now,
        )
    )
    session.flush()


def versions(session: Session, proposal_id: UUID) -> list[dict[str, Any]]:
    """Return every version of the text, newest first, each with what it changed."""
    rows = session.scalars(
        sa.select(ProposalText)
        .where(ProposalText.proposal_id == proposal_id)
        .order_by(ProposalText.version)
    ).all()
    before: Sequence[ProposalText | None] = [None, *rows]
    return [
        {
            "version": row.version,
            "at": row.at.isoformat(),
            "author": str(row.author),
            **Text.of(row).describe(),
            "diff": _diff(earlier, row),
        }
        for earlier, row in reversed(list(zip(before, rows, strict=False)))
    ]


def _diff(before: ProposalText | None, after: ProposalText) -> list[str]:
    """Return the lines that differ, as a unified diff; none for the first version."""
    if before is None:
        return []
    lines = (_lines(before), _lines(after))
    names = (f"version {before.version}", f"version {after.version}")
    return list(unified_diff(*lines, *names, lineterm=""))


def _lines(text: ProposalText) -> list[str]:
    options = [f"- {option}" for option in text.options]
    return [text.title, "", *text.description.splitlines(), *options]


# Any of the words of a text, the more the better.
_SIMILAR: Final = sa.text("""
    WITH wanted AS (
        SELECT string_agg(quote_literal(word), ' | ')::tsquery AS any_word
        FROM unnest(tsvector_to_array(to_tsvector('simple', :words))) AS word
        WHERE length(word) > 3
    )
    SELECT t.proposal_id, t.title,
           ts_rank(t.words, any_word) AS likeness
    FROM proposal_texts t, wanted
    WHERE t.words @@ any_word
      AND t.proposal_id IS DISTINCT FROM CAST(:but AS uuid)
      AND NOT EXISTS (SELECT FROM proposal_texts later
                      WHERE later.proposal_id = t.proposal_id
                        AND later.version > t.version)
    ORDER BY likeness DESC, t.proposal_id DESC LIMIT :count
""")


def similar(
    session: Session, text: Text, *, but: UUID | None = None
) -> list[dict[str, Any]]:
    """Return the proposals that share most words with a text."""
    words = f"{text.title} {text.description}"
    bound = {"words": words, "but": but, "count": _SIMILAR_MAX}
    return [
        {"id": str(row.proposal_id), "title": row.title}
        for row in session.execute(_SIMILAR, bound)
    ]
