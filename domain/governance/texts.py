"""Texts: what a proposal says, in versions that show what changed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from domain.errors import Conflict
from domain.governance.differences import difference
from domain.governance.record import ProposalText
from domain.pages import Page, Position, newest_first

TITLE_LENGTH: Final = (5, 255)
DESCRIPTION_LENGTH: Final = (20, 20_000)
OPTIONS_MAX: Final = 50
TAGS_MAX: Final = 10
VERSIONS_MAX: Final = 50
_SIMILAR_MAX: Final = 5


class TooManyVersions(Conflict):
    """This text was changed as often as a text may be."""

    code = "too_many_versions"


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
    text: Text,
    *,
    after: ProposalText | None = None,
    author: UUID,
    now: datetime,
) -> None:
    """Store the version of a text that comes after another, and what it changed."""
    version = 1 if after is None else after.version + 1
    if version > VERSIONS_MAX:
        raise TooManyVersions
    session.add(
        ProposalText(
            proposal_id=proposal_id,
            version=version,
            title=text.title,
            description=text.description,
            options=list(text.options),
            tags=sorted(set(text.tags)),
            details=dict(text.details),
            diff="" if after is None else "\n".join(_diff(after, text)),
            words=sa.func.to_tsvector("simple", f"{text.title} {text.description}"),
            author=author,
            at=now,
        )
    )
    session.flush()


def versions(
    session: Session, proposal_id: UUID, *, start: Position | None, limit: int
) -> Page[Any]:
    """Return versions of the text, newest first, as rows of one ProposalText each."""
    return newest_first(
        session,
        sa.select(ProposalText)
        .where(ProposalText.proposal_id == proposal_id)
        .options(undefer(ProposalText.diff)),
        column=ProposalText.version.expression,
        key=lambda row: row.ProposalText.version,
        start=start,
        limit=limit,
    )


def describe_version(row: ProposalText, frozen: str | None) -> dict[str, Any]:
    """Return a version as JSON shows it, with what it changed.

    `frozen` is the hash of what was fixed, where this is what it says.
    """
    return {
        "version": row.version,
        "at": row.at.isoformat(),
        "author": str(row.author),
        **Text.of(row).describe(),
        "diff": row.diff.split("\n") if row.diff else [],
        "definition_sha256": frozen,
    }


def _diff(before: ProposalText, after: Text) -> list[str]:
    names = (f"version {before.version}", f"version {before.version + 1}")
    return difference(_lines(Text.of(before)), _lines(after), names)


def _lines(text: Text) -> list[str]:
    """Return all that a text says, line by line."""
    details = json.dumps(text.details, indent=2, sort_keys=True, ensure_ascii=False)
    return [
        text.title,
        "",
        *text.description.splitlines(),
        *(f"- {option}" for option in text.options),
        *(f"# {tag}" for tag in sorted(set(text.tags))),
        *(details.splitlines() if text.details else ()),
    ]


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
