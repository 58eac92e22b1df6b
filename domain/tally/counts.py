"""Counts: what a method found, before quorum and form make it a result."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.tally.documents import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Who or what won, every stage on the way, and each tie with what broke it."""

    stages: Sequence[Document]
    passed: bool
    elected: Sequence[str] = ()
    ties: Sequence[Document] = ()
    figures: Document = field(default_factory=dict)
