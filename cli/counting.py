"""`coin tally`: ballots from a file, counted by any method that takes rankings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from cli.verifying import verify
from domain.tally import (
    OF_RANKING,
    BadBallot,
    BadElection,
    Election,
    blt,
    canonical,
    count,
    from_rankings,
    wards,
)
from domain.tally.ballot_files import BadBallotFile, BallotFile
from domain.tally.documents import Document
from domain.tally.elections import NUMBER_MAX

_FILE_BYTES_MAX: Final = 256 * 1024 * 1024
_SEED_BYTES: Final = (1, 64)
# What a stage has beside the votes of the options.
_ASIDE: Final = {
    "non_transferable": "not transferable",
    "lost_to_rounding": "lost to rounding",
    "quota": "quota",
}
_NO_SEED: Final = (
    "A tie was broken by a lot from the ballots alone, which the last voter can try to "
    "steer: publish a seed's SHA-256 before voting opens, and give the seed as --seed."
)


def _seed(_context: click.Context, _option: click.Parameter, value: str) -> bytes:
    """Return the bytes that hexadecimal digits say."""
    least, most = _SEED_BYTES
    if value and not re.fullmatch(rf"(?:[0-9a-fA-F]{{2}}){{{least},{most}}}", value):
        raise click.BadParameter(f"a seed has {least} to {most} bytes, two digits each")
    return bytes.fromhex(value)


@click.group()
def tally() -> None:
    """Count votes so that anybody can count them again."""


tally.add_command(verify)


@tally.command(name="count")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--method", type=click.Choice(list(OF_RANKING)), required=True, help="How to count."
)
@click.option(
    "--seats", type=click.IntRange(1, NUMBER_MAX), help="Seats; else the file's."
)
@click.option(
    "--seed", callback=_seed, default="", metavar="HEX", help="Where lots come from."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result document.")
def count_file(
    *, file: Path, method: str, seats: int | None, seed: bytes, as_json: bool
) -> None:
    """Count the ranked ballots in FILE: BLT, or the CSV of Scottish wards."""
    try:
        found = _read(file)
        election = Election(
            method=method,
            options=found.options,
            seats=seats or (1 if method == "irv" else found.seats),
        )
        result = count(election, from_rankings(method, found.rankings), seed)
    except (BadBallotFile, BadElection, BadBallot) as error:
        raise click.ClickException(f"{file}: {error}") from None
    told = canonical(result) if as_json else "\n".join(_told(result, found))
    click.echo(told)
    if not seed and any(tie["rule"] == "lot" for tie in result["ties"]):
        click.echo(_NO_SEED, err=True)


def _read(file: Path) -> BallotFile:
    """Read either format; the CSV is the one with a comma in its first line."""
    if file.stat().st_size > _FILE_BYTES_MAX:
        raise click.ClickException(f"{file}: larger than {_FILE_BYTES_MAX} bytes")
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Counting programs of the eighties live on, and so does their alphabet.
        text = raw.decode("cp1252", errors="replace")
    first = text.lstrip().partition("\n")[0]
    if "," in first and not first.startswith("#"):
        return wards.read(text)
    return blt.read(text)


def _told(result: Document, file: BallotFile) -> Iterator[str]:
    """Yield the result for people, options as the file lists them."""
    ballots, election = result["ballots"], result["election"]
    yield file.title or "Untitled"
    yield (
        f"{election['method']}, {ballots['people']:,} ballots, {ballots['blank']:,} "
        f"blank; options {len(file.options)}, seats {election['seats']}"
    )
    width = max(map(len, [*file.options, *_ASIDE.values()]))
    for stage in result["stages"]:
        yield f"\nstage {stage['stage']}: {stage['explanation']}"
        yield from _votes(stage, file.options, width)
    for tie in result["ties"]:
        chosen = f"{tie['chosen']}, by {tie['rule']}"
        yield f"\ntie at stage {tie['stage']}, {tie['purpose']}: {chosen}"
        yield from (f"  {one}  {tie['tickets'].get(one, '')}" for one in tie["tied"])
    yield f"\nballots  {ballots['sha256']}"
    yield f"elected  {', '.join(result['elected']) or 'nobody'}"


def _votes(stage: Document, options: tuple[str, ...], width: int) -> Iterator[str]:
    received, elected = stage.get("received", {}), stage["elected"]
    for option in options:
        more = f"+{received[option]}" if option in received else ""
        note = "elected" if option in elected else ""
        votes = f"{stage['votes'][option]:>16}"
        yield f"  {option:{width}}{votes}{more:>16}  {note}".rstrip()
    for name, shown in _ASIDE.items():
        if name in stage:
            yield f"  {shown:{width}}{stage[name]:>16}"
