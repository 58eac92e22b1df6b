"""What a tally takes from the database to the result's row, job by job.

python -m bench.tally_jobs [ROUNDS]

A PostgreSQL of its own holds a vote; a process apart counts it as a worker does.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench import memory
from bench.cases import Figures, medians
from bench.stack import ROOT
from cli import database
from cli.servers import embedded_postgres
from domain import users
from domain.db import create_engine, session_factory
from domain.governance import cases, proposals, tallying
from domain.governance.freezing import FORMAT
from domain.governance.lifecycle import Event
from domain.governance.parameters import Parameters
from domain.governance.record import ProposalSeed, ProposalType
from domain.governance.texts import Text
from domain.ids import uuid7
from domain.jobs import Claim
from domain.settings import Settings
from domain.tally import canonical, commitment

_OPTIONS: Final = tuple(f"option {number}" for number in range(10))
_SEATS: Final = 5
# How many ballots each is counted with.
BALLOTS: Final[Mapping[str, int]] = {
    "scottish-stv": 100_000,
    "meek-stv": 100_000,
    "yes-no": 1_000_000,
}
_AGO: Final = timedelta(days=40)
_SEED: Final = bytes(32)
_PARTS_MAX: Final = 1_000
_MEGABYTE: Final = 1_000_000

# Three to ten options in any order: hardly two people agree.
_RANKING: Final = """
    SELECT to_jsonb((array_agg(one ORDER BY random()))
                    [1:3 + floor(random() * 8)::integer]) AS ballot
    FROM unnest(CAST(:options AS text[])) AS one WHERE voter_id IS NOT NULL
"""
_WORD: Final = """
    SELECT to_jsonb((ARRAY['yes', 'no', 'abstain'])[1 + floor(random() * 3)::integer])
           AS ballot
    WHERE voter_id IS NOT NULL
"""
_FILL: Final = """
    INSERT INTO electors (proposal_id, voter_id, weight)
    SELECT :id, gen_random_uuid(), 1 FROM generate_series(1, :ballots);
    INSERT INTO participations SELECT proposal_id, voter_id FROM electors
    WHERE proposal_id = :id;
    INSERT INTO ballots (proposal_id, voter_id, sequence, ballot, cast_at, job_id)
    SELECT :id, voter_id, 1, drawn.ballot, now(), :id
    FROM electors, LATERAL ({drawn}) AS drawn WHERE proposal_id = :id;
    UPDATE proposals SET turnout = :ballots WHERE id = :id;
    INSERT INTO proposal_freezes (proposal_id, at, people, weight, definition, sha256)
    VALUES (:id, now(), :ballots, :ballots, :definition, :sha256);
"""


def hold(session: Session, method: str, ballots: int) -> UUID:
    """Store a vote that closed long ago; return its id."""
    then = datetime.now(UTC) - _AGO
    unlike = uuid7().hex
    author = users.create(session, username=f"author.{unlike[-12:]}", now=then).id
    name = f"counted_{unlike}"
    ranked = method != "yes-no"
    rules = Parameters(
        about="Measured.",
        method=method,
        seats=_SEATS if ranked else 1,
        discussion_hours=0,
        freeze_hours=0,
    )
    options = _OPTIONS if ranked else ()
    session.add(
        ProposalType(name=name, version=1, parameters=rules.describe(), created_at=then)
    )
    session.flush()
    text = Text(
        title="A vote",
        description="Made up to be counted.",
        options=options,
        details={},
    )
    case = proposals.create(session, author=author, type_name=name, text=text, now=then)
    proposal_id = case.row.id
    session.add(ProposalSeed(proposal_id=proposal_id, seed=_SEED))
    cases.happen(session, proposal_id, Event.OPENED, now=then)
    defined = canonical(_definition(proposal_id, rules, options, ballots)).decode()
    bound = {
        "id": str(proposal_id),
        "ballots": ballots,
        **({"options": list(options)} if ranked else {}),
        "definition": defined,
        "sha256": sha256(defined.encode()).hexdigest(),
    }
    fill = _FILL.format(drawn=_RANKING if ranked else _WORD)
    session.execute(sa.text(fill), bound)
    return proposal_id


def _definition(
    proposal_id: UUID, rules: Parameters, options: Sequence[str], ballots: int
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "proposal": str(proposal_id),
        "parameters": rules.describe(),
        "options": list(options),
        "seats": rules.seats,
        "electorate": {"people": ballots, "weight": ballots, "sha256": "0" * 64},
        "commitment": commitment(_SEED),
    }


def count(url: str, proposal_id: UUID) -> Figures:
    """Run every job of a tally here, one after another, as a worker would."""
    engine = create_engine(Settings(database_url=url))
    sessions, now = session_factory(engine), datetime.now(UTC)
    began, worked = time.perf_counter(), time.process_time()
    jobs = 0
    for part in range(_PARTS_MAX):
        jobs += 1
        with sessions.begin() as session:
            told = tallying.run(session, _claim(proposal_id, part, now), now=now)
        if "outcome" in told:
            break
    return {
        "jobs": jobs,
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - worked,
        "memory_mb": memory.peak() / _MEGABYTE,
    }


def _claim(proposal_id: UUID, part: int, now: datetime) -> Claim:
    return Claim(
        id=uuid7(),
        kind=tallying.TALLY,
        application=None,
        principal=None,
        payload={"proposal_id": str(proposal_id), "part": part, "lane": 0},
        attempts=1,
        submitted_at=now,
        request_id=None,
        trace=None,
    )


def measure(rounds: int = 1) -> dict[str, Figures]:
    """Return the medians of what the tally takes, by method."""
    seen: dict[str, list[Figures]] = {method: [] for method in BALLOTS}
    with (
        tempfile.TemporaryDirectory(prefix="coin-bench-") as folder,
        embedded_postgres(Path(folder)) as url,
    ):
        chosen = Settings(database_url=url)
        database.migrate(chosen)
        for method in [*BALLOTS] * rounds:
            with database.transaction(chosen) as session:
                proposal_id = hold(session, method, BALLOTS[method])
            seen[method].append(_apart(url, proposal_id))
    return {method: medians(figures) for method, figures in seen.items()}


def _lines(seen: Mapping[str, Figures]) -> Iterator[str]:
    yield "| method | ballots | jobs | seconds | processor seconds | peak MB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for method, found in seen.items():
        yield (
            f"| {method} | {BALLOTS[method]:,} | {found['jobs']:g} "
            f"| {found['seconds']:.1f} | {found['processor_seconds']:.1f} "
            f"| {found['memory_mb']:.0f} |"
        )


def _apart(url: str, proposal_id: UUID) -> Figures:
    done = subprocess.run(
        [sys.executable, "-m", "bench.tally_jobs", "--once", url, str(proposal_id)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def main() -> None:
    """Print the table; or, for the process apart, what one tally took."""
    if sys.argv[1:2] == ["--once"]:
        print(json.dumps(count(sys.argv[2], UUID(sys.argv[3]))))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    print("\n".join(_lines(measure(rounds))))


if __name__ == "__main__":
    main()
