"""Jobs: what was accepted, and what became of it.

A job's row is the promise given with 202; the broker only says where to look.
"""

from domain.jobs.claims import (
    CHANNEL,
    Claim,
    Outcome,
    Superseded,
    claim,
    finish,
    hold_lane,
    pending,
)
from domain.jobs.leases import finish_leased, lease, renew, take_back
from domain.jobs.record import (
    FINAL,
    STATES,
    Job,
    JobFinished,
    NoSuchJob,
    NotFailed,
    NotYourBallot,
)
from domain.jobs.recovery import due_lanes, expire, fail, forget_periodic
from domain.jobs.submission import NewJob, Submission, postpone, submit
from domain.jobs.visits import (
    Run,
    Viewer,
    cancel,
    find,
    finished,
    last_runs,
    last_success,
    page,
    requeue,
)

__all__ = [
    "CHANNEL",
    "FINAL",
    "STATES",
    "Claim",
    "Job",
    "JobFinished",
    "NewJob",
    "NoSuchJob",
    "NotFailed",
    "NotYourBallot",
    "Outcome",
    "Run",
    "Submission",
    "Superseded",
    "Viewer",
    "cancel",
    "claim",
    "due_lanes",
    "expire",
    "fail",
    "find",
    "finish",
    "finish_leased",
    "finished",
    "forget_periodic",
    "hold_lane",
    "last_runs",
    "last_success",
    "lease",
    "page",
    "pending",
    "postpone",
    "renew",
    "requeue",
    "submit",
    "take_back",
]
