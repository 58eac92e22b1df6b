"""`coin people`: who there is, and which roles they hold, from the operator's side."""

from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy.orm import Session

from cli import database
from cli.endpoints import data_option
from domain import roles, users
from domain.users import NoSuchUser, User

_PEOPLE_MAX = 200


@click.group()
def people() -> None:
    """List people; grant and revoke their roles."""


@people.command()
@click.argument("username")
@click.argument("role", type=click.Choice(roles.ROLES))
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="When it ends, in UTC.",
)
@data_option
def grant(username: str, role: str, until: datetime | None, data: Path) -> None:
    """Give a person a role, for good or until a day."""
    ends_at = until and until.replace(tzinfo=UTC)
    with database.transaction(database.settings(data)) as session:
        user = _find(session, username)
        now = datetime.now(UTC)
        roles.grant(session, user.id, role, by=None, ends_at=ends_at, now=now)
    end = f" until {ends_at:%Y-%m-%d %H:%M}" if ends_at else ""
    click.echo(f"{user.username} is {role}{end}")


@people.command()
@click.argument("username")
@click.argument("role", type=click.Choice(roles.ROLES))
@data_option
def revoke(username: str, role: str, data: Path) -> None:
    """Take a role away."""
    with database.transaction(database.settings(data)) as session:
        user = _find(session, username)
        roles.revoke(session, user.id, role, by=None, now=datetime.now(UTC))
    click.echo(f"{user.username} is no longer {role}")


@people.command("list")
@data_option
def show(data: Path) -> None:
    """List the newest people and their roles."""
    now = datetime.now(UTC)
    with database.transaction(database.settings(data)) as session:
        found = users.page(session, username=None, start=None, limit=_PEOPLE_MAX)
        for row in found.items:
            held = roles.effective(session, row.User.id, now=now)
            names = ",".join(["member", *sorted(held)])
            click.echo(f"{row.User.id}  {row.User.username:<32} {names}")


def _find(session: Session, username: str) -> User:
    user = users.by_username(session, username)
    if user is None:
        raise NoSuchUser(f"There is no person {username!r}.")
    return user
