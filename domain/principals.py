"""Who is asking: an application by its key, or a person by their token."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

# Where people have their account, and what is done to it is recorded.
PEOPLES_APPLICATION: Final = "commons"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, for which application, and what they may do.

    `owner` is the one account a person acts on; an application acts on all of its own.
    """

    id: UUID
    application: str
    scopes: frozenset[str]
    owner: str | None = None
    roles: frozenset[str] = frozenset()
    session: UUID | None = None
