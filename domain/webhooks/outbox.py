"""Events as they are stored: by the statement that makes them so, or not at all.

Each of these is a part of such a statement. A batch asks once whether anybody listens;
while nobody does, its statements are without these and cost what they always did.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

TRANSFER_POSTED: Final = "transfer.posted"
# The states that a proposal comes into (domain/governance/lifecycle.py).
PROPOSAL_EVENTS: Final = (
    *("proposal.discussion", "proposal.frozen", "proposal.voting", "proposal.closed"),
    *("proposal.passed", "proposal.failed", "proposal.queued", "proposal.cancelled"),
    *("proposal.vetoed", "proposal.executed", "proposal.expired"),
)
# Deeds that are told by the names they are recorded under (domain/audit_events.py).
DEED_EVENTS: Final = (
    *("election.called", "seat.taken", "seat.changed", "seat.ended"),
    *("recall.called", "recall.seconded"),
    *("bounty.created", "bounty.claimed", "bounty.paid", "bounty.claim_rejected"),
    "bounty.closed",
)
# What an endpoint may listen to; each job event is the state that a job ended in.
EVENTS: Final = (
    "job.succeeded",
    "job.refused",
    "job.failed",
    "job.cancelled",
    "job.expired",
    TRANSFER_POSTED,
    *PROPOSAL_EVENTS,
    *DEED_EVENTS,
)

# Whether anybody listens, for a statement that is run anyway.
LISTENED_TO: Final = "EXISTS (SELECT FROM webhook_endpoints WHERE disabled_at IS NULL)"
_HEARD: Final = "webhooks_heard"


def note(session: Session, *, heard: bool) -> None:
    """Note for the rest of a transaction whether anybody listens."""
    session.info[_HEARD] = heard


def heard(session: Session) -> bool:
    """Say whether anybody may listen: yes, unless it was found that nobody does."""
    return bool(session.info.get(_HEARD, True))


# What a statement returns of the jobs it ends, for the two below.
JOB_COLUMNS: Final = """
    jobs.id, jobs.kind, jobs.queue, jobs.lane, jobs.application, jobs.state,
    jobs.request_id, jobs.trace"""

_STORE: Final = """
    INSERT INTO webhook_deliveries
        (id, endpoint_id, type, at, data, request_id, trace, due_at)"""


def job_events(jobs: str) -> str:
    """Return the statement that stores an event of each of these jobs that ended."""
    return f"""{_STORE}
    SELECT gen_random_uuid(), e.id, 'job.' || j.state, :now,
           json_build_object('job_id', j.id, 'kind', j.kind),
           j.request_id, j.trace, :now
    FROM {jobs} AS j JOIN webhook_endpoints e ON e.application = j.application
    WHERE e.disabled_at IS NULL AND 'job.' || j.state = ANY(e.events)"""  # noqa: S608  the name of a part of the statement


def listeners(jobs: str) -> str:
    """Return the condition that holds when anybody listens to these jobs' applications.

    Their transfers count, too.
    """
    return f"""EXISTS (
        SELECT FROM {jobs} AS j JOIN webhook_endpoints e USING (application)
        WHERE e.disabled_at IS NULL)"""


def transfer_events(transfers: str) -> str:
    """Return the statement that stores an event of each of these new transfers."""
    return f"""{_STORE}
    SELECT gen_random_uuid(), e.id, '{TRANSFER_POSTED}', t.created_at,
           json_build_object('transfer_id', t.id, 'job_id', t.job_id),
           (SELECT request_id FROM jobs WHERE id = t.job_id),
           (SELECT trace FROM jobs WHERE id = t.job_id), t.created_at
    FROM webhook_endpoints e
    JOIN operations o ON o.application = e.application
    JOIN {transfers} AS t ON t.operation_id = o.id
    WHERE e.disabled_at IS NULL AND '{TRANSFER_POSTED}' = ANY(e.events)"""  # noqa: S608  the same


# An event of a proposal that came into a state; people's applications are told.
PROPOSAL_EVENT: Final = f"""{_STORE}
    SELECT gen_random_uuid(), e.id, 'proposal.' || :state, :now,
           json_build_object('proposal_id', CAST(:proposal AS uuid),
               'type', CAST(:type AS text), 'state', CAST(:state AS text)),
           :request_id, NULL, :now
    FROM webhook_endpoints e
    WHERE e.application = :application AND e.disabled_at IS NULL
      AND 'proposal.' || :state = ANY(e.events)"""  # noqa: S608  the same

_DEED_EVENT: Final = sa.text(f"""{_STORE}
    SELECT gen_random_uuid(), e.id, :type, :now, CAST(:data AS json), :request_id,
           NULL, :now
    FROM webhook_endpoints e
    WHERE e.application = :application AND e.disabled_at IS NULL
      AND :type = ANY(e.events)""")  # noqa: S608  the same
# Of what is recorded with a deed, the things that have ids of their own.
_THINGS: Final = ("council", "seat", "proposal")


def store_deed(  # noqa: PLR0913  what is known of a deed
    session: Session,
    deed: str,
    *,
    application: str | None,
    subject: str,
    details: Mapping[str, Any],
    request_id: str | None,
    now: datetime,
) -> None:
    """Store the event of a deed that is told, for those who listen, with ids alone."""
    if deed not in DEED_EVENTS or not heard(session):
        return
    kind, _, identity = subject.partition(":")
    things = {name: details[name] for name in _THINGS if details.get(name)}
    ids = {f"{name}_id": one for name, one in {kind: identity, **things}.items()}
    bound = {
        "type": deed,
        "application": application,
        "data": json.dumps(ids),
        "request_id": request_id,
        "now": now,
    }
    session.execute(_DEED_EVENT, bound)
