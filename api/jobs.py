"""Jobs: look, list, wait, cancel, try again."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import falcon
import orjson
import structlog
from sqlalchemy.orm import Session, sessionmaker

from api import query
from api.answers import (
    RETRY_AFTER_SECONDS,
    answer_accepted,
    describe,
    summarize,
)
from api.errors import DATABASE_AWAY
from api.media import show
from api.openapi.describing import describes, describes_item, describes_page
from api.permissions import principal_of
from api.shapes.jobs import EVENTS, JobSummary
from api.shapes.jobs import Job as Shown
from api.waiters import Waiters
from domain import jobs
from domain.jobs import FINAL, STATES, Job, Viewer

_log = structlog.get_logger()

_EVENTS_SECONDS: Final = 300
_EVENT_LOOK_SECONDS: Final = 2.0


def add_routes(  # noqa: PLR0913  what the routes share
    app: falcon.App[Any, Any],
    sessions: sessionmaker[Session],
    waiters: Waiters,
    ring: Callable[[str, int], None],
    tell: Callable[[Job], None],
    *,
    deadline_seconds: int,
) -> None:
    """Serve jobs: their list, one of them, its events, and another try."""
    app.add_route("/jobs", Jobs(sessions))
    app.add_route("/jobs/{job_id:uuid}", JobItem(sessions, waiters, tell))
    app.add_route("/jobs/{job_id:uuid}/events", JobEvents(sessions, waiters))
    retry = JobRetry(sessions, ring, deadline_seconds=deadline_seconds)
    app.add_route("/jobs/{job_id:uuid}/retry", retry)


def viewer(req: falcon.Request) -> Viewer:
    """Return what of its application's jobs the caller may see."""
    principal = principal_of(req)
    operator = "jobs:operate" in principal.scopes
    return Viewer(principal.application, principal.id, operator)


class Jobs:
    """GET /jobs."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    @describes_page("jobs", JobSummary, query=["state", "kind"])
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List the caller's jobs, newest first."""
        query.allow(req, "state", "kind", "limit", "cursor")
        with self._sessions() as session:
            found = jobs.page(
                session,
                viewer(req),
                state=query.one_of(req, "state", *STATES),
                kind=req.get_param("kind"),
                start=query.start(req, query.uuid),
                limit=query.limit(req),
            )
        query.page(req, resp, "jobs", found, lambda row: summarize(row.Job))


class JobItem:
    """GET and DELETE /jobs/{id}."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        waiters: Waiters,
        tell: Callable[[Job], None],
    ) -> None:
        self._sessions = sessions
        self._waiters = waiters
        self._tell = tell

    @describes_item(
        Shown, query=["wait"], gives=["Retry-After"], refuses=["no_such_job"]
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: UUID) -> None:
        """Show a job, at once or when it has finished."""
        query.allow(req, "wait")
        seconds = query.wait_seconds(req)
        job = self._find(req, job_id)
        if job.state not in FINAL and seconds:
            self._waiters.wait(job.id, f"{job.queue}.{job.lane}", seconds)
            job = self._find(req, job_id)
        if job.state not in FINAL:
            resp.set_header("Retry-After", RETRY_AFTER_SECONDS)
        self._tell(job)
        show(req, resp, describe(job))

    @describes_item(Shown, refuses=["no_such_job", "job_finished", "not_your_ballot"])
    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, job_id: UUID
    ) -> None:
        """Cancel a job that no worker has begun."""
        with self._sessions.begin() as session:
            job = jobs.cancel(session, job_id, viewer(req), now=datetime.now(UTC))
        show(req, resp, describe(job))

    def _find(self, req: falcon.Request, job_id: UUID) -> Job:
        with self._sessions() as session:
            return jobs.find(session, job_id, viewer(req))


class JobRetry:
    """POST /jobs/{id}/retry."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        ring: Callable[[str, int], None],
        *,
        deadline_seconds: int,
    ) -> None:
        self._sessions = sessions
        self._ring = ring
        self._allowance = timedelta(seconds=deadline_seconds)

    @describes(
        {202: Shown},
        gives=["Location", "Retry-After"],
        refuses=["no_such_job", "job_not_failed", "not_your_ballot"],
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, job_id: UUID) -> None:
        """Queue a failed job again."""
        with self._sessions.begin() as session:
            job = jobs.requeue(
                session,
                job_id,
                viewer(req),
                allowance=self._allowance,
                now=datetime.now(UTC),
            )
        self._ring(job.queue, job.lane)
        answer_accepted(resp, job)


class JobEvents:
    """GET /jobs/{id}/events."""

    def __init__(self, sessions: sessionmaker[Session], waiters: Waiters) -> None:
        self._sessions = sessions
        self._waiters = waiters

    @describes(
        {200: {"text/event-stream": {"example": EVENTS}}, 204: None},
        takes=["Last-Event-ID"],
        gives=["X-Accel-Buffering"],
        refuses=["no_such_job"],
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: UUID) -> None:
        """Stream the job's states until it has finished; resumes where it was cut."""
        last = req.get_header("Last-Event-ID")
        job = self._find(job_id, viewer(req))
        if job.state in FINAL and last == _event_id(job):
            # The one answer after which an EventSource does not come back.
            resp.status = falcon.HTTP_204
            return
        resp.content_type = "text/event-stream"
        # A proxy that gathers a whole answer first would never pass on an event.
        resp.set_header("X-Accel-Buffering", "no")
        if req.method != "HEAD":
            resp.stream = self._events(job, viewer(req), last)

    def _events(self, job: Job, asker: Viewer, last: str | None) -> Iterator[bytes]:
        yield f"retry: {RETRY_AFTER_SECONDS}000\n\n".encode()
        looks = round(_EVENTS_SECONDS / _EVENT_LOOK_SECONDS)
        for _ in range(looks):
            if _event_id(job) != last:
                last = _event_id(job)
                body = orjson.dumps(describe(job)).decode()
                yield f"id: {last}\nevent: {job.state}\ndata: {body}\n\n".encode()
            else:
                yield b": still here\n\n"
            if job.state in FINAL:
                return
            lane = f"{job.queue}.{job.lane}"
            try:
                self._waiters.wait(job.id, lane, _EVENT_LOOK_SECONDS)
                job = self._find(job.id, asker)
            except DATABASE_AWAY as error:
                # The listener comes back, and goes on where this ends.
                _log.warning("events_cut", error=repr(error))
                return

    def _find(self, job_id: UUID, asker: Viewer) -> Job:
        with self._sessions() as session:
            return jobs.find(session, job_id, asker)


def _event_id(job: Job) -> str:
    return f"{job.attempts}-{job.state}"
