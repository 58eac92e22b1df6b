"""The database as its login role sees it: settings, sessions and migrations."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import alembic.command
import click
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cli import endpoints
from domain.db import create_engine, session_factory
from domain.errors import DomainError
from domain.settings import InvalidSettings, Settings

ROOT: Final = Path(__file__).resolve().parent.parent


def settings(data: Path) -> Settings:
    """Read the environment, or what a running `coin up` adds to it."""
    complete_environment(data)
    return read_settings(os.environ)


def complete_environment(data: Path) -> None:
    """Name the servers of the `coin up` that runs in a directory, unless yours are."""
    if os.environ.get("DATABASE_URL"):
        return
    running = endpoints.read(data)
    if running.database:
        os.environ["DATABASE_URL"] = running.database
        os.environ["REDIS_URL"] = running.redis or ""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read settings, or end the command with every fault."""
    try:
        return Settings.from_environ(environ)
    except InvalidSettings as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def transaction(chosen: Settings) -> Iterator[Session]:
    """Open one transaction with the login's rights; commit at the end of the block."""
    engine = create_engine(chosen, role=False)
    try:
        with session_factory(engine).begin() as session:
            yield session
    except DomainError as error:
        raise click.ClickException(str(error)) from None
    except OperationalError as error:
        raise click.ClickException(f"the database said: {error.orig}".strip()) from None
    finally:
        engine.dispose()


def migrate(chosen: Settings) -> str:
    """Bring the schema to the newest revision and return its name."""
    # migrations/env.py knows no other way to be told.
    os.environ["DATABASE_URL"] = chosen.database_url
    try:
        alembic.command.upgrade(_configuration(), "head")
    except OperationalError as error:
        raise click.ClickException(f"the database said: {error.orig}".strip()) from None
    return newest_revision()


def newest_revision() -> str:
    """Return the revision this code expects of the database."""
    script = ScriptDirectory.from_config(_configuration())
    return str(script.get_current_head())


def _configuration() -> Config:
    return Config(toml_file=ROOT / "pyproject.toml")
