"""`coin operations`: the applications' operations and the table that lists them."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import click
from sqlalchemy.orm import Session

from cli import database
from cli.endpoints import data_option
from domain.apps import applications
from domain.operations import Change, changes, declared

_VERSIONS: Final = Path(__file__).parents[1] / "migrations" / "versions"
_REVISION: Final = re.compile(r"(\d{4})_\w+\.py")

_MIGRATION: Final = '''"""Operations of {application}: {summary}."""

from alembic import op

revision = "{revision}"
down_revision = "{previous}"


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''

# A retired operation stays in the table: transfers of old refer to it for good.
_PUT: Final = """\
    op.execute(
        "INSERT INTO operations (application, name, amount) "
        "VALUES ('{application}', '{name}', {amount}) "
        "ON CONFLICT (application, name) "
        "DO UPDATE SET amount = excluded.amount, retired = false"
    )"""
_RETIRE: Final = """\
    op.execute(
        "UPDATE operations SET retired = true "
        "WHERE application = '{application}' AND name = '{name}'"
    )"""


@click.group()
def operations() -> None:
    """Compare operations in code with the database."""


@operations.command("list")
def list_operations() -> None:
    """Show every application's operations and amounts."""
    for application in sorted(applications()):
        for name, amount in declared(application).items():
            click.echo(f"{application}\t{name}\t{'' if amount is None else amount}")


@operations.command()
@data_option
@click.option("--application", help="Only this application; all by default.")
def migrate(data: Path, application: str | None) -> None:
    """Write a migration for what code and database do not share."""
    with database.transaction(database.settings(data)) as session:
        written = write_migrations(session, _VERSIONS, application)
    if not written:
        click.echo("code and database have the same operations")
    for path in written:
        click.echo(f"{path.relative_to(Path.cwd())} written; apply it: coin migrate")


def write_migrations(
    session: Session, folder: Path, application: str | None = None
) -> list[Path]:
    """Write one reversible migration for each application that differs."""
    differing = [c for c in changes(session) if application in {None, c.application}]
    paths: list[Path] = []
    for name, group in groupby(differing, key=lambda change: change.application):
        previous = _head(folder)
        revision = f"{int(previous) + 1:04}"
        path = folder / f"{revision}_{name.replace('-', '_')}_operations.py"
        path.write_text(_migration(name, list(group), revision, previous))
        paths.append(path)
    return paths


def _head(folder: Path) -> str:
    return max(match[1] for path in folder.iterdir() if (match := _match(path)))


def _match(path: Path) -> re.Match[str] | None:
    return _REVISION.fullmatch(path.name)


def _migration(
    application: str, found: Sequence[Change], revision: str, previous: str
) -> str:
    return _MIGRATION.format(
        application=application,
        summary=", ".join(f"{_verb(change)} {change.name}" for change in found),
        revision=revision,
        previous=previous,
        upgrade="\n".join(
            _statement(change, present=change.becomes, amount=change.after)
            for change in found
        ),
        downgrade="\n".join(_undo(found)),
    )


def _undo(found: Sequence[Change]) -> Iterable[str]:
    return (
        _statement(change, present=change.was, amount=change.before)
        for change in reversed(found)
    )


def _verb(change: Change) -> str:
    if not change.was:
        return "add"
    return "change" if change.becomes else "retire"


def _statement(change: Change, *, present: bool, amount: int | None) -> str:
    template = _PUT if present else _RETIRE
    return template.format(
        application=change.application,
        name=change.name,
        amount="NULL" if amount is None else amount,
    )
