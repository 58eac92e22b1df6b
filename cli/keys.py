"""`coin keys`: API keys of applications, from the operator's side."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from cli import database
from cli.endpoints import data_option
from domain import keys as domain_keys

_EVERY: Final = "all"


@click.group()
def keys() -> None:
    """Create, list and revoke API keys of applications."""


@keys.command()
@click.option("--application", required=True, help="Application the key acts in.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([*domain_keys.SCOPES, _EVERY]),
    help="What the key may do; give it once for each scope.",
)
@click.option("--name", default="", help="What the key is for.")
@click.option("--replaces", metavar="KEY_ID", help="Key whose principal it takes over.")
@click.option("--expires-days", type=click.IntRange(min=1), help="Days it is good for.")
@data_option
def create(  # noqa: PLR0913  one parameter an option
    *,
    application: str,
    scopes: tuple[str, ...],
    name: str,
    replaces: str | None,
    expires_days: int | None,
    data: Path,
) -> None:
    """Create a key and print it, this once."""
    now = datetime.now(UTC)
    with database.transaction(database.settings(data)) as session:
        key, text = domain_keys.create(
            session,
            application=application,
            scopes=domain_keys.SCOPES if _EVERY in scopes else scopes,
            now=now,
            name=name,
            expires_at=now + timedelta(days=expires_days) if expires_days else None,
            replaces=replaces,
        )
    click.echo(f"key {key.id}; keep what follows, it is not shown again", err=True)
    click.echo(text)


@keys.command("list")
@data_option
def show(data: Path) -> None:
    """List every key, oldest first; secrets are not stored and not shown."""
    now = datetime.now(UTC)
    with database.transaction(database.settings(data)) as session:
        for key in domain_keys.list_keys(session):
            state = _state(key, now)
            used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
            scopes = ",".join(key.scopes)
            click.echo(
                f"{key.id}  {key.application:<12} {state:<8} used {used:<16} "
                f"{scopes}  {key.name}".rstrip()
            )


@keys.command()
@click.argument("key_id")
@data_option
def revoke(key_id: str, data: Path) -> None:
    """Stop a key from being accepted, for good."""
    with database.transaction(database.settings(data)) as session:
        domain_keys.revoke(session, key_id, now=datetime.now(UTC))
    click.echo(f"key {key_id} is revoked")


def _state(key: domain_keys.ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    return "active"
