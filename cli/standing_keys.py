"""The API keys `coin up` shows: the same in every run of one data directory.

A key's principal owns the nonces used with it. A new key each time would forget
which writes were made already.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from cli import database
from cli.endpoints import write_private
from domain import keys
from domain.principals import Principal
from domain.settings import Settings

APPLICATIONS: Final = ("commons", "content")
_FILE: Final = "keys.json"


def standing_keys(settings: Settings, data: Path) -> dict[str, str]:
    """Return a key with every scope for each application, made only when needed."""
    known = _read(data / _FILE)
    # Of this directory: another `coin up` on the same database keeps its own.
    name = f"coin up in {data.resolve()}"
    with database.transaction(settings) as session:
        current = {
            application: _valid_or_new(
                session, application, text=known.get(application), name=name
            )
            for application in APPLICATIONS
        }
    write_private(data / _FILE, json.dumps(current, indent=2) + "\n")
    return current


def _read(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def _valid_or_new(
    session: Session, application: str, *, text: str | None, name: str
) -> str:
    now = datetime.now(UTC)
    if text and _serves(keys.authenticate(session, text, now=now), application):
        return text
    former = [
        key
        for key in keys.list_keys(session)
        if key.application == application and key.name == name
    ]
    _, fresh = keys.create(
        session,
        application=application,
        scopes=keys.SCOPES,
        now=now,
        name=name,
        replaces=former[-1].id if former else None,
    )
    for key in former:
        keys.revoke(session, key.id, now=now)
    return fresh


def _serves(principal: Principal | None, application: str) -> bool:
    return (
        principal is not None
        and principal.application == application
        and principal.scopes >= set(keys.SCOPES)
    )
