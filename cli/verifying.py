"""`coin tally verify`: a package recounted, with no database and no network."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from domain.governance import lists, packages
from domain.governance.packages import BadPackage, Check

_FILE_BYTES_MAX: Final = 1024 * 1024 * 1024


@click.command(name="verify")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--voters",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The list of voters or receipts (?format=voters) to check beside it.",
)
def verify(*, file: Path, voters: Path | None) -> None:
    """Recount the package in FILE, and say what holds and what differs."""
    try:
        package = _read(file)
        wrong = _told(packages.verify(package))
        if voters is not None and not wrong:
            wrong = _told(lists.verify(package, _bytes(voters)))
    except BadPackage as fault:
        raise click.ClickException(f"{file}: {fault}") from None
    if wrong:
        click.echo(f"\nThis is not what was published: {wrong} of these differ.")
        raise SystemExit(1)
    result = package["result"]
    click.echo(f"\nproposal  {package['proposal_id']}")
    click.echo(f"frozen    {package['definition_sha256']}")
    click.echo(f"ballots   {package['ballots_sha256']}")
    click.echo(f"outcome   {result['outcome']}")
    if result["elected"]:
        click.echo(f"elected   {', '.join(result['elected'])}")
    click.echo(
        "\nAll of it follows from what is in this file. That it is what was published, "
        "compare the hashes with those you, or others, noted."
    )


def _told(checks: Iterator[Check]) -> int:
    """Say how each check went; return how many did not hold."""
    wrong = 0
    for check in checks:
        wrong += not check.holds
        click.echo(f"{'ok     ' if check.holds else 'differs'}  {check.what}")
        if check.differs:
            click.echo(f"         {check.differs}")
    return wrong


def _read(file: Path) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise BadPackage("An object has a name twice.")
        return found

    try:
        return json.loads(_bytes(file), object_pairs_hook=once)
    except (ValueError, RecursionError) as fault:
        raise BadPackage(f"This is not JSON: {fault}") from None


def _bytes(file: Path) -> bytes:
    if file.stat().st_size > _FILE_BYTES_MAX:
        raise BadPackage(f"It is larger than {_FILE_BYTES_MAX} bytes.")
    return file.read_bytes()
