"""Jobs that can never be applied, among many that can."""

from datetime import UTC, datetime, timedelta
from json import dumps
from uuid import UUID

from sqlalchemy.orm import Session

from bench.faults.attack import Attack
from bench.faults.waiting import until
from domain import jobs
from domain.ids import uuid7
from domain.jobs import NewJob
from domain.ledger import lane_of
from domain.settings import Settings

_JOBS = 500
_POISON = {100: "ledger.post_operation", 300: "ledger.no_such_kind"}
_FAILED_SECONDS = 60.0


def poisoned(attack: Attack) -> None:
    """Put two jobs that cannot be applied among 500 of one lane."""
    row = attack.books.ask("SELECT principal FROM jobs WHERE principal IS NOT NULL")[0]
    owner = f"poisoned-{attack.chance.getrandbits(64):x}"
    made = [_job(owner, number, row[0]) for number in range(_JOBS)]
    with (
        attack.fault(),
        attack.recovering(),
        Session(attack.books.engine) as session,
        session.begin(),
    ):
        jobs.submit(session, made)
    ids = [str(job.id) for job in made]

    def ended() -> bool:
        return all(found.final for found in attack.books.jobs(ids).values())

    until(ended, _FAILED_SECONDS, "an end of every poisoned job")
    _check(attack, owner, [attack.books.jobs(ids)[one].state for one in ids])


def _job(owner: str, number: int, principal: UUID) -> NewJob:
    now = datetime.now(UTC)
    entry = {"owner_id": owner, "operation": "CREDIT_ADD", "nonce": f"{owner}-{number}"}
    kind = _POISON.get(number, "ledger.post_operation")
    if number in _POISON:
        entry.pop("operation")
    return NewJob(
        id=uuid7(),
        kind=kind,
        queue="ledger",
        lane=lane_of("commons", owner, Settings.ledger_lanes),
        payload=dumps(entry),
        application="commons",
        principal=principal,
        submitted_at=now,
        deadline=now + timedelta(hours=1),
    )


def _check(attack: Attack, owner: str, states: list[str]) -> None:
    for number, state in enumerate(states):
        wanted = "failed" if number in _POISON else "succeeded"
        if state != wanted:
            raise AssertionError(f"job {number} of {owner} {state}, not {wanted}")
    query = "SELECT balance FROM accounts WHERE owner = :owner"
    balance = attack.books.ask(query, owner=owner)[0][0]
    if balance != 10 * (_JOBS - len(_POISON)):
        raise AssertionError(f"{owner} has {balance}")
    attack.notes.append(f"{len(_POISON)} failed, {_JOBS - len(_POISON)} applied")
