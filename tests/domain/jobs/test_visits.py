from datetime import timedelta

import pytest
import sqlalchemy as sa

from domain import jobs
from domain.governance.casting import CAST, CAST_SECRET
from domain.ids import uuid7
from domain.jobs import (
    FINAL,
    STATES,
    Job,
    JobFinished,
    NoSuchJob,
    NotFailed,
    NotYourBallot,
    Outcome,
    Viewer,
)
from tests.factories import NOW, make_job, make_lane

DAY = timedelta(days=1)
LATER = NOW + DAY
COLUMNS = {
    "queued": {},
    "running": {"lease_until": NOW},
    "succeeded": {"finished_at": NOW, "result": {}},
    "refused": {"finished_at": NOW, "problem": {}},
    "failed": {"finished_at": NOW, "problem": {}, "attempts": 8},
    "cancelled": {"finished_at": NOW},
    "expired": {"finished_at": NOW},
}


@pytest.fixture
def viewer():
    """A principal of its own, whose jobs are the test's alone."""
    return Viewer("commons", uuid7(), operator=False)


def submit(session, viewer, state="queued", **fields):
    job = make_job(application=viewer.application, principal=viewer.principal, **fields)
    jobs.submit(session, [job])
    values = {"state": state, **COLUMNS[state]}
    session.execute(sa.update(Job).where(Job.id == job.id).values(**values))
    return job.id


def requeue(session, job_id, viewer):
    return jobs.requeue(session, job_id, viewer, allowance=DAY, now=LATER)


# Who sees what


def test_a_job_is_seen_by_the_principal_who_sent_it(session, viewer):
    job_id = submit(session, viewer)

    assert jobs.find(session, job_id, viewer).id == job_id


def test_a_job_is_seen_by_operators_of_its_application(session, viewer):
    job_id = submit(session, viewer)
    operator = Viewer("commons", uuid7(), operator=True)

    assert jobs.find(session, job_id, operator).id == job_id


@pytest.mark.parametrize(
    "stranger",
    [
        Viewer("commons", uuid7(), operator=False),
        Viewer("content", uuid7(), operator=False),
        Viewer("content", uuid7(), operator=True),
    ],
    ids=["another principal", "another application", "another operator"],
)
def test_a_job_is_not_there_for_strangers(session, viewer, stranger):
    job_id = submit(session, viewer)
    failed = submit(session, viewer, "failed")

    for visit in (
        lambda: jobs.find(session, job_id, stranger),
        lambda: jobs.cancel(session, job_id, stranger, now=NOW),
        lambda: requeue(session, failed, stranger),
    ):
        with pytest.raises(NoSuchJob):
            visit()


@pytest.mark.parametrize("kind", [CAST, CAST_SECRET])
def test_only_its_voter_cancels_a_ballot_or_tries_it_again(session, viewer, kind):
    """Operators, who see it, would choose whose ballots are counted."""
    operator = Viewer("commons", uuid7(), operator=True)
    queued = submit(session, viewer, kind=kind)
    failed = submit(session, viewer, "failed", kind=kind)

    with pytest.raises(NotYourBallot):
        jobs.cancel(session, queued, operator, now=NOW)
    with pytest.raises(NotYourBallot):
        requeue(session, failed, operator)
    assert jobs.find(session, queued, operator).state == "queued"
    assert jobs.find(session, failed, operator).state == "failed"

    assert jobs.cancel(session, queued, viewer, now=NOW).state == "cancelled"
    assert requeue(session, failed, viewer).state == "queued"


def test_a_principal_is_another_in_another_application(session, viewer):
    job_id = submit(session, viewer)
    elsewhere = Viewer("content", viewer.principal, operator=False)

    with pytest.raises(NoSuchJob):
        jobs.find(session, job_id, elsewhere)


def test_a_job_of_the_system_is_nobodys_to_see(session):
    job = make_job(application=None, principal=None)
    jobs.submit(session, [job])

    with pytest.raises(NoSuchJob):
        jobs.find(session, job.id, Viewer("commons", uuid7(), operator=True))


def test_a_job_that_never_was_is_not_there(session, viewer):
    with pytest.raises(NoSuchJob):
        jobs.find(session, uuid7(), viewer)


def test_which_of_many_jobs_have_ended_is_known(session, viewer):
    by_state = {state: submit(session, viewer, state) for state in STATES}

    ended = jobs.finished(session, [*by_state.values(), uuid7()])
    assert set(ended) == {by_state[state] for state in FINAL}


# Lists


def listed(session, viewer, **filters):
    page = jobs.page(session, viewer, **{"limit": 50, **filters})
    return [row.Job.id for row in page.items]


def test_jobs_are_listed_newest_first(session, viewer):
    ids = [submit(session, viewer) for _ in range(3)]

    assert listed(session, viewer) == ids[::-1]


def test_lists_hold_only_what_the_viewer_may_see(session, viewer):
    own = submit(session, viewer)
    submit(session, Viewer("commons", uuid7(), operator=False))
    submit(session, Viewer("content", viewer.principal, operator=False))

    assert listed(session, viewer) == [own]


def test_an_operator_lists_the_jobs_of_all_principals_of_an_application(session):
    ids = [
        submit(session, Viewer(application, uuid7(), operator=False))
        for application in ("commons", "content", "commons")
    ]
    operator = Viewer("commons", uuid7(), operator=True)

    assert listed(session, operator, limit=2) == [ids[2], ids[0]]


def test_lists_can_be_of_one_state_or_kind(session, viewer):
    queued = submit(session, viewer, kind="ledger.post_batch")
    failed = submit(session, viewer, "failed")

    assert listed(session, viewer, state="failed") == [failed]
    assert listed(session, viewer, kind="ledger.post_batch") == [queued]
    assert listed(session, viewer, state="failed", kind="ledger.post_batch") == []


def test_pages_stay_while_new_jobs_arrive(session, viewer):
    ids = [submit(session, viewer) for _ in range(5)]
    seen, start = [], None
    while True:
        page = jobs.page(session, viewer, start=start, limit=2)
        seen += [row.Job.id for row in page.items]
        submit(session, viewer)
        if (start := page.next) is None:
            break

    assert seen == ids[::-1]


def test_pages_lead_back_to_the_newest(session, viewer):
    ids = [submit(session, viewer) for _ in range(5)]
    first = jobs.page(session, viewer, limit=2)
    second = jobs.page(session, viewer, start=first.next, limit=2)
    newest = submit(session, viewer)
    back = jobs.page(session, viewer, start=second.prev, limit=2)
    end = jobs.page(session, viewer, start=back.prev, limit=2)

    assert [row.Job.id for row in back.items] == [ids[4], ids[3]]
    assert [row.Job.id for row in end.items] == [newest]
    assert (first.prev, end.prev) == (None, None)


# Cancel and try again


def test_a_queued_job_can_be_cancelled(session, viewer):
    job = jobs.cancel(session, submit(session, viewer), viewer, now=LATER)

    assert (job.state, job.finished_at, job.attempts) == ("cancelled", LATER, 0)


@pytest.mark.parametrize("state", sorted(set(STATES) - {"queued"}))
def test_a_job_begun_or_ended_cannot_be_cancelled(session, viewer, state):
    job_id = submit(session, viewer, state)

    with pytest.raises(JobFinished):
        jobs.cancel(session, job_id, viewer, now=LATER)


def test_a_failed_job_can_be_tried_again(session, viewer):
    job = requeue(session, submit(session, viewer, "failed"), viewer)

    assert (job.state, job.finished_at, job.deadline) == ("queued", None, LATER + DAY)


def test_a_job_tried_again_has_all_its_attempts_before_it(session, viewer):
    job = requeue(session, submit(session, viewer, "failed"), viewer)
    claim = jobs.claim(
        session, queue=job.queue, lane=job.lane, count=1, size=1, now=LATER
    )[0]

    def fail(attempt):
        number = claim.attempts + attempt
        return jobs.fail(session, job.id, attempt=number, attempts_max=3, now=LATER)

    finals = [fail(attempt) for attempt in (1, 2, 3)]
    session.refresh(job)
    assert finals == [False, False, True]
    assert job.state == "failed"


def test_a_job_tried_again_can_succeed(session, viewer):
    job = requeue(session, submit(session, viewer, "failed"), viewer)
    jobs.finish(session, [Outcome(job.id, result={})], began=LATER, now=LATER)
    session.refresh(job)

    assert (job.state, job.problem) == ("succeeded", None)


@pytest.mark.parametrize("state", sorted(set(STATES) - {"failed"}))
def test_only_a_failed_job_can_be_tried_again(session, viewer, state):
    job_id = submit(session, viewer, state)

    with pytest.raises(NotFailed):
        requeue(session, job_id, viewer)


def test_a_job_tried_again_comes_in_its_old_place(session, viewer):
    lane = make_lane()
    first = submit(session, viewer, "failed", lane=lane)
    second = submit(session, viewer, lane=lane, deadline=LATER + DAY)
    requeue(session, first, viewer)
    bounds = {"count": 9, "size": 9, "now": LATER}
    claims = jobs.claim(session, queue="ledger", lane=lane, **bounds)

    assert [claim.id for claim in claims] == [first, second]
