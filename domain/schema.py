"""The schema this code needs, and whether the database has it."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

_VERSIONS: Final = Path(__file__).parents[1] / "migrations" / "versions"


class DatabaseDiffers(RuntimeError):
    """Code and database do not go together."""


class SchemaTooOld(DatabaseDiffers):
    """The database lacks what this code's migrations would bring."""


def needed() -> str:
    """Return the revision this code needs; revisions are numbers of four digits."""
    return max(path.name[:4] for path in _VERSIONS.glob("[0-9]*.py"))


def reached(session: Session) -> str | None:
    """Return the revision the database is at."""
    found: str | None = session.scalar(
        sa.text("SELECT max(version_num) FROM alembic_version")
    )
    return found


def shortfall(session: Session) -> str | None:
    """Say what the database lacks; None when it has it all.

    A newer one will do: it is migrated before the last process of old code has ended.
    """
    at, wanted = reached(session), needed()
    if at is not None and at >= wanted:
        return None
    return f"the schema is at {at or 'nothing'}, the code needs {wanted}"


def require_schema(session: Session) -> None:
    """Raise SchemaTooOld, with the way out, when the database lacks something."""
    if found := shortfall(session):
        raise SchemaTooOld(f"{found}. Run `coin migrate`.")
