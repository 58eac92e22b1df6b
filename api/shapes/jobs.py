"""What is answered of jobs."""

from typing import Final

from marshmallow import fields, validate

from api.shapes.members import AN_ID, Shape, identity, moment, nested, text, whole
from api.shapes.problems import Problem
from domain.jobs import STATES

EVENTS: Final = (
    f'id: 0-succeeded\nevent: succeeded\ndata: {{"id":"{AN_ID}","state":"succeeded"}}'
    "\n\n"
)


class Links(Shape):
    """Where to go on."""

    self = text(f"/jobs/{AN_ID}")
    events = text(f"/jobs/{AN_ID}/events")
    result = fields.String(metadata={"description": "What it made, if anything."})


class JobSummary(Shape):
    """A job as a list shows it."""

    id = identity()
    kind = text("ledger.post_operation")
    application = text("commons", null=True)
    state = text("queued", validate=validate.OneOf(STATES))
    attempts = whole(0)
    submitted_at = moment()
    started_at = moment(None, null=True)
    finished_at = moment(None, null=True)
    deadline = moment("2026-11-21T21:50:00.123456+00:00")
    queue_ms = whole(None, null=True)
    run_ms = whole(None, null=True)
    request_id = text("order-17", null=True)
    links = nested(Links)


class Job(JobSummary):
    """A job, with its `result` when it succeeded and its `problem` when it did not."""

    result = fields.Raw(
        metadata={"description": "What the write answers when it is waited for."}
    )
    problem = nested(Problem, required=False)
