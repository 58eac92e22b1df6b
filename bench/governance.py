"""What votes take: casting ballots, counting them, and reading what came of it."""

import json
import time
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

from bench import ballots, tallies, tally_jobs
from bench.cases import Figures, medians, quantiles
from bench.stack import Stack
from cli import database
from domain.settings import Settings

# What is so quick that a short run has it, too.
_QUICK_CASES: Final = ("scottish-stv, 5 seats", "meek-stv, 5 seats", "yes-no")
# A result tells of stages and options, whoever many have voted.
_VOTERS, _READS = 1_000, 500
_METHOD: Final = "meek-stv"
_SECONDS: Final = 10.0


def measure(
    stack: Stack, seconds: float, rounds: int, *, quick: bool
) -> dict[str, Any]:
    """Return every figure of votes; a short run leaves out what a worker's jobs take.

    People's rate limits must be off (`ballots.UNLIMITED`): few cast all the ballots.
    """
    cast = ballots.measure(stack, seconds / 2 if quick else seconds, rounds)
    return {
        "ballots": {name: medians(figures) for name, figures in cast.items()},
        "result": result(stack),
        "counts": tallies.measure(rounds, _QUICK_CASES if quick else tallies.CASES),
        "jobs": {} if quick else tally_jobs.measure(rounds=rounds),
    }


def result(stack: Stack) -> Figures:
    """Return how long the result of a counted election takes, once it was asked for."""
    with database.transaction(Settings(database_url=stack.database)) as session:
        proposal_id = tally_jobs.hold(session, _METHOD, _VOTERS)
    tally_jobs.count(stack.database, proposal_id)
    path = f"/api/governance/proposals/{proposal_id}/result"
    connection = HTTPConnection(urlsplit(stack.api).netloc, timeout=_SECONDS)
    first, _ = _read(connection, path, stack.key)
    if first["outcome"] is None:
        raise RuntimeError(f"not counted: {first}")
    seen = [_read(connection, path, stack.key)[1] for _ in range(_READS)]
    connection.close()
    return quantiles("read", seen)


def _read(connection: HTTPConnection, path: str, key: str) -> tuple[Any, float]:
    """Return what an answer says, and how many seconds it took."""
    began = time.perf_counter()
    connection.request("GET", path, headers={"X-API-Key": key})
    answer = connection.getresponse()
    body = answer.read()
    taken = time.perf_counter() - began
    if answer.status != HTTPStatus.OK:
        raise RuntimeError(f"{path}: {answer.status}")
    return json.loads(body), taken
