"""`coin tokens`: the keys that sign people's tokens."""

from datetime import UTC, datetime
from pathlib import Path

import click

from cli import database
from cli.endpoints import data_option
from domain import signing_keys


@click.group()
def tokens() -> None:
    """Tend the keys that sign people's tokens."""


@tokens.command()
@click.option(
    "--now",
    "at_once",
    is_flag=True,
    help="Drop the keys there are: tokens they signed are refused within seconds.",
)
@data_option
def rotate(*, at_once: bool, data: Path) -> None:
    """Make the next signing key; a worker does so by itself every 30 days."""
    chosen = database.settings(data)
    with database.transaction(chosen) as session:
        key = signing_keys.rotate(
            session,
            secret=chosen.token_secret,
            now=datetime.now(UTC),
            at_once=at_once,
        )
    click.echo(f"key {key.id.hex} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC")
