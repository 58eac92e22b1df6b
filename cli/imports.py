"""`coin import`: a file of ledger writes through the HTTP API, each applied once."""

import re
import sys
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

import click

from cli import endpoints
from cli.endpoints import data_option
from cli.ledger_client import ApiRefused, LedgerClient
from cli.ledger_file import BadLine, Batch, LedgerFile
from cli.tally import Tally

# Batches of one key are applied in the order accepted: a few may be under way.
_IN_FLIGHT_MAX: Final = 4
_BATCH_MAX: Final = 5000


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--api", envvar="COIN_API", help="URL of the API; else `coin up`'s.")
@click.option("--key", envvar="COIN_API_KEY", help="API key; else `coin up`'s.")
@click.option(
    "--batch",
    "size",
    type=click.IntRange(1, _BATCH_MAX),
    default=1000,
    show_default=True,
    help="Entries a request.",
)
@click.option("--atomic/--no-atomic", help="Apply a batch as a whole or not at all.")
@click.option("--strict", is_flag=True, help="Exit with 1 when any was refused.")
@click.option(
    "--refused",
    type=click.File("wb", lazy=False),
    help="NDJSON file for what was refused, and why.",
)
@data_option
def import_file(  # noqa: PLR0913  one parameter an option
    *,
    file: Path,
    api: str | None,
    key: str | None,
    size: int,
    atomic: bool,
    strict: bool,
    refused: IO[bytes] | None,
    data: Path,
) -> None:
    """Post the ledger writes in FILE (CSV with a header, or NDJSON), in its order.

    Columns are owner_id,operation,nonce or from,to,amount,nonce, and metadata
    (JSON) where wanted. Run it again after an interruption: nothing is applied twice.
    With the same --batch, what was refused stays refused; else it is judged anew.
    """
    running = endpoints.read(data)
    address, secret = api or running.api, key or running.key
    if not address or not secret:
        raise click.UsageError(
            f"nothing runs in {data}: say where, with --api and --key or the "
            "environment's COIN_API and COIN_API_KEY"
        )
    tally = Tally(refused)
    began = time.monotonic()
    try:
        with closing(LedgerClient(address, secret)) as client:
            _send(file, client, tally, size=size, atomic=atomic)
    finally:
        click.echo(tally.summary(time.monotonic() - began))
    if strict and tally.refused:
        raise click.exceptions.Exit(1)


class BatchNotApplied(click.ClickException):
    """The API took a batch, and it came to nothing."""


@dataclass(frozen=True)
class _Sent:
    batch: Batch
    job_id: str
    replayed: bool


def _send(
    path: Path, client: LedgerClient, tally: Tally, *, size: int, atomic: bool
) -> None:
    """Send batch after batch, a few ahead of the answers."""
    sent: deque[_Sent] = deque()
    fault: click.ClickException | None = None
    with (
        path.open("rb") as file,
        click.progressbar(
            length=path.stat().st_size, label=path.name, file=sys.stderr
        ) as bar,
    ):

        def settle() -> None:
            oldest = sent.popleft()
            _settle(oldest, client, tally)
            bar.update(oldest.batch.end - bar.pos)

        try:
            for batch in LedgerFile(file).batches(size=size):
                sent.append(_submit(batch, client, atomic=atomic))
                if len(sent) == _IN_FLIGHT_MAX:
                    settle()
        except (BadLine, ApiRefused) as error:
            fault = error  # what was sent before it is still to be counted
        while sent:
            settle()
    if fault is not None:
        raise fault


def _submit(batch: Batch, client: LedgerClient, *, atomic: bool) -> _Sent:
    body = batch.body(atomic=atomic)
    # From position and content alone: a second run of the same file says the same.
    key = sha256(b"%d:%s" % (batch.index, body)).hexdigest()
    try:
        answer = client.submit(body, idempotency_key=key)
    except ApiRefused as error:
        raise _located(batch, error) from None
    known = answer.headers.get("Idempotency-Replayed") == "true"
    return _Sent(batch, answer.body["id"], replayed=known and not answer.resent)


def _settle(sent: _Sent, client: LedgerClient, tally: Tally) -> None:
    job = client.finished(sent.job_id)
    if job["state"] not in ("succeeded", "refused"):
        lines = f"{sent.batch.entries[0].line} to {sent.batch.entries[-1].line}"
        raise BatchNotApplied(
            f"lines {lines}: their job {sent.job_id} has {job['state']}. When it has "
            f"failed, POST /jobs/{sent.job_id}/retry; else choose another --batch. "
            "Then run the command again: what is applied stays applied once"
        )
    tally.add(sent.batch, job, replayed=sent.replayed)


def _located(batch: Batch, error: ApiRefused) -> click.ClickException:
    """Turn the API's pointer into an entry into a line of the file."""
    for fault in error.problem.get("errors", ()):
        match = re.match(r"/entries/(\d+)(?:/(.*))?", str(fault.get("pointer")))
        if match and int(match[1]) < len(batch.entries):
            where = f"{match[2]}: " if match[2] else ""
            detail = str(fault.get("detail", "refused")).rstrip(".")
            return BadLine(batch.entries[int(match[1])].line, f"{where}{detail}")
    return error
