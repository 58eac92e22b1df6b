"""How a job is shown: accepted, finished, or as the resource it is."""

from datetime import datetime
from typing import Any, Final

import falcon
import orjson

from api.errors import PROBLEM_JSON, STATUS_OF_KIND, body_of
from domain.jobs import Job, NewJob

RETRY_AFTER_SECONDS: Final = "1"


def answer_accepted(resp: falcon.Response, job: Job | NewJob) -> None:
    """Answer 202 and where to look."""
    shown = describe(job)
    resp.status = falcon.HTTP_202
    resp.location = shown["links"]["self"]
    resp.set_header("Retry-After", RETRY_AFTER_SECONDS)
    resp.data = orjson.dumps(shown)
    resp.content_type = falcon.MEDIA_JSON


def answer_outcome(req: falcon.Request, resp: falcon.Response, job: Job) -> None:
    """Answer what became of a finished job: 201, or its problem's own status."""
    if job.state == "succeeded":
        resp.status = falcon.HTTP_201
        resp.location = _location(job)
        resp.append_link(f"/jobs/{job.id}", "status")
        resp.data = orjson.dumps(job.result)
        resp.content_type = falcon.MEDIA_JSON
        return
    problem = job.problem or _ENDED[job.state]
    status = STATUS_OF_KIND[problem["kind"]]
    resp.status = falcon.code_to_http_status(status)
    if resp.status == falcon.HTTP_503:
        resp.set_header("Retry-After", RETRY_AFTER_SECONDS)
    resp.append_link(f"/jobs/{job.id}", "status")
    resp.content_type = PROBLEM_JSON
    resp.data = orjson.dumps(
        body_of(
            problem,
            status=status,
            instance=req.context.request_id,
            trace=req.context.trace,
        )
    )


_ENDED: Final = {
    "cancelled": {
        "kind": "cancelled",
        "code": "job_cancelled",
        "detail": "The job was cancelled before a worker began it.",
    }
}


def _location(job: Job) -> str:
    result = job.result if isinstance(job.result, dict) else {}
    if "content" in result:
        return f"/content/{result['content']['id']}"
    if "bounty" in result:
        return f"/api/bounties/{result['bounty']['id']}"
    if "transfer" in result:
        return f"/ledger/transfers/{result['transfer']['id']}"
    return f"/jobs/{job.id}"


def describe(job: Job | NewJob) -> dict[str, Any]:
    """Return the job as JSON shows it, with what became of it."""
    shown = summarize(job)
    if isinstance(job, NewJob):
        return shown
    if job.state == "succeeded":
        if (location := _location(job)) != shown["links"]["self"]:
            shown["links"]["result"] = location
        shown["result"] = job.result
    elif problem := job.problem or _ENDED.get(job.state):
        status = STATUS_OF_KIND[problem["kind"]]
        instance = shown["links"]["self"]
        shown["problem"] = body_of(problem, status=status, instance=instance)
    return shown


def summarize(job: Job | NewJob) -> dict[str, Any]:
    """Return the job as a list shows it: what became of it is a look away.

    Ids and times are left to orjson, which writes them in a tenth of the time.
    """
    path = f"/jobs/{job.id}"
    stored = job if isinstance(job, Job) else None
    started = stored.started_at if stored else None
    finished = stored.finished_at if stored else None
    return {
        "id": job.id,
        "kind": job.kind,
        "application": job.application,
        "state": stored.state if stored else "queued",
        "attempts": stored.attempts if stored else 0,
        "submitted_at": job.submitted_at,
        "started_at": started,
        "finished_at": finished,
        "deadline": job.deadline,
        "queue_ms": _ms(job.submitted_at, started),
        "run_ms": _ms(started, finished),
        "request_id": job.request_id,
        "links": {"self": path, "events": f"{path}/events"},
    }


def _ms(since: datetime | None, until: datetime | None) -> int | None:
    if since is None or until is None:
        return None
    return round((until - since).total_seconds() * 1000)
