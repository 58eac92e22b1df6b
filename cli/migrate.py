"""`coin migrate`: bring the database to the schema this code expects."""

from pathlib import Path

import click

from cli import database
from cli.endpoints import data_option


@click.command()
@data_option
def migrate(data: Path) -> None:
    """Bring the database's schema to the newest revision."""
    revision = database.migrate(database.settings(data))
    click.echo(f"the database is at revision {revision}")
