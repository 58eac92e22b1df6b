"""From a valid request to a stored job, once per idempotency key."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

import falcon
import orjson
import structlog
from sqlalchemy.orm import Session, sessionmaker

from api.answers import answer_accepted, answer_outcome
from api.bodies import NONCE_LENGTH_MAX, PRINTABLE
from api.errors import DATABASE_AWAY, Problem
from api.intake import Intake
from api.prefer import Preferences
from api.waiters import Waiters
from domain.ids import derived_id, uuid7
from domain.jobs import FINAL, Job, NewJob
from domain.principals import Principal

_log = structlog.get_logger()

# A string of structured fields (RFC 9651 §3.3.3).
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED: Final = re.compile(r"\\(.)")


class Draft(NamedTuple):
    """What a resource asks to be done.

    `known_by` is what two requests with one key must have in common to be the same one:
    all of the payload, unless it is given.
    """

    kind: str
    lane: int
    payload: dict[str, Any]
    key: str | None
    family: str
    size: int = 1
    known_by: dict[str, Any] | None = None

    @property
    def queue(self) -> str:
        """Return the queue, the first half of the kind's name."""
        return self.kind.partition(".")[0]


def idempotency_key(req: falcon.Request, nonce: str | None = None) -> str | None:
    """Return the header's key, or the body's nonce; both must agree when given."""
    text = req.get_header("Idempotency-Key")
    if text is None:
        return nonce
    key = _unquoted(text)
    if not 0 < len(key) <= NONCE_LENGTH_MAX or not PRINTABLE.fullmatch(key):
        raise Problem(
            422,
            "invalid_idempotency_key",
            f"Idempotency-Key has 1 to {NONCE_LENGTH_MAX} printable characters, "
            "bare or in quotes, with \\ before a quote or a \\ within them.",
        )
    if nonce is not None and nonce != key:
        raise Problem(
            422,
            "idempotency_key_mismatch",
            "The header Idempotency-Key and the body's nonce differ; send one.",
        )
    return key


def _unquoted(text: str) -> str:
    """Return the key a header holds, nothing when it is malformed."""
    try:
        # WSGI hands over bytes as Latin-1; a nonce in a body is UTF-8.
        text = text.encode("latin-1").decode()
    except UnicodeError:
        return ""
    if not text.startswith('"'):
        return text
    match = _QUOTED.fullmatch(text)
    return _ESCAPED.sub(r"\1", match[1]) if match else ""


class Submissions:
    """Turns a draft into a stored job and answers as the caller prefers."""

    def __init__(
        self,
        intake: Intake,
        waiters: Waiters,
        sessions: sessionmaker[Session],
        tell: Callable[[Job], None],
        *,
        deadline_seconds: int,
    ) -> None:
        self._intake = intake
        self._waiters = waiters
        self._sessions = sessions
        self._tell = tell
        self._deadline = timedelta(seconds=deadline_seconds)

    def accept(self, req: falcon.Request, resp: falcon.Response, draft: Draft) -> bool:
        """Answer 202 once the job is stored; what became of it when told to wait.

        Returns whether it is a new one.
        """
        principal: Principal = req.context.principal
        job, size = self._job(req, principal, draft)
        submission = self._intake.submit(job, size)
        if submission.error is not None:
            raise submission.error
        stored = submission.earlier or job
        structlog.contextvars.bind_contextvars(job=str(stored.id))
        if submission.earlier is not None:
            resp.set_header("Idempotency-Replayed", "true")
        preferences = Preferences.of(req)
        if done := self._finished(job, submission.earlier, preferences.wait or 0):
            self._tell(done)
            answer_outcome(req, resp, done)
        else:
            answer_accepted(resp, stored)
        preferences.acknowledge(resp)
        return submission.earlier is None

    def _job(
        self, req: falcon.Request, principal: Principal, draft: Draft
    ) -> tuple[NewJob, int]:
        now = datetime.now(UTC)
        body = orjson.dumps(draft.payload, option=orjson.OPT_SORT_KEYS)
        known_by = body
        if draft.known_by is not None:
            known_by = orjson.dumps(draft.known_by, option=orjson.OPT_SORT_KEYS)
        digest = sha256(draft.kind.encode() + b"\0" + known_by).digest()[:16]
        scope = (principal.application, principal.id, draft.family)
        job = NewJob(
            id=uuid7(),
            kind=draft.kind,
            queue=draft.queue,
            lane=draft.lane,
            size=draft.size,
            payload=body.decode(),
            application=principal.application,
            principal=principal.id,
            idempotency=derived_id(*scope, draft.key) if draft.key else None,
            digest=UUID(bytes=digest),
            request_id=req.context.request_id,
            trace=req.context.trace,
            submitted_at=now,
            deadline=now + self._deadline,
        )
        return job, len(body)

    def _finished(self, job: NewJob, earlier: Job | None, seconds: int) -> Job | None:
        if not seconds:
            return None
        if earlier is not None and earlier.state in FINAL:
            return earlier
        job_id = earlier.id if earlier is not None else job.id
        try:
            if not self._waiters.wait(job_id, f"{job.queue}.{job.lane}", seconds):
                return None
            with self._sessions() as session:
                return session.get(Job, job_id)
        except DATABASE_AWAY as error:
            # It is stored: the answer is 202, whatever became of looking.
            _log.warning("wait_disturbed", error=repr(error))
            return None
