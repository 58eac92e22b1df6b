"""`coin settings`: what is chosen here, and what may be."""

import re
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Final

import click

from cli import database
from cli.endpoints import data_option
from domain.settings import Settings

_HIDDEN: Final = "***"
# Whose password was not encoded, with an @, / or ? in it, is hidden as a whole.
_ADDRESS: Final = re.compile(
    r"(?P<scheme>[a-z0-9+]+://)(?P<user>[^@/?#]*@)?(?P<place>[^@?#]*)(\?[^@]*)?"
)
_HEADING: Final = """\
# Every setting of The People's Coin, as `coin settings --env-example` prints them.
# Copy this file to .env and choose; what stays a comment keeps its default.
"""


@click.command()
@click.option(
    "--env-example",
    is_flag=True,
    help="Print a file of all settings with their meanings and defaults.",
)
@data_option
def settings(*, env_example: bool, data: Path) -> None:
    """Print what is set here, and never a secret."""
    if env_example:
        click.echo(_example(), nl=False)
        return
    chosen = database.settings(data)
    for setting in fields(Settings):
        value = getattr(chosen, setting.name)
        note = " (default)" if value == setting.default else ""
        click.echo(f"{setting.name.upper()}={_shown(setting, value)}{note}")


def _example() -> str:
    return "\n".join([_HEADING, *map(_explained, fields(Settings))])


def _explained(setting: Field[Any]) -> str:
    line = f"{setting.name.upper()}={setting.default}"
    # The one without which nothing starts.
    commented = line if setting.name == "database_url" else f"# {line}"
    return f"# {setting.metadata['meaning']}\n{commented}\n"


def _shown(setting: Field[Any], value: Any) -> str:
    if not setting.metadata["secret"] or not value:
        return str(value)
    address = _ADDRESS.fullmatch(value) if setting.name.endswith("_url") else None
    if address is None:
        return _HIDDEN
    user = f"{_HIDDEN}@" if address["user"] else ""
    return f"{address['scheme']}{user}{address['place']}"
