"""Tallies: every ballot once, whatever is killed, and always the same result."""

import json
import random
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from domain import jobs
from domain.governance import tallying
from domain.governance.lifecycle import Event, State
from domain.governance.voting_record import Tally
from domain.jobs import Job
from domain.tally import canonical
from tests.factories import make_job
from tests.voting import Vote, make_vote

OPTIONS = ("ada", "ben", "cat")
RANKINGS = [["ada", "ben"], ["ben"], ["cat", "ada", "ben"], ["ada", "ben"], []]
SECOND = timedelta(seconds=1)


def tally_jobs(vote):
    found = sa.select(Job).where(
        Job.kind == tallying.TALLY, Job.lane == vote.lane, Job.queue == "governance"
    )
    return vote.session.scalars(
        found.order_by(Job.position), execution_options={"populate_existing": True}
    ).all()


def submit_ballot(vote, *, at, kind="governance.cast"):
    job = make_job(
        kind=kind,
        queue="governance",
        payload=json.dumps({"proposal_id": str(vote.id)}),
        submitted_at=at,
    )
    jobs.submit(vote.session, [job])
    return job


def end(session, job_id, state):
    """Let a job have ended."""
    now = sa.func.now()
    values = {"state": state, "finished_at": now, "lease_until": None}
    problem = {"kind": "failed", "code": "job_failed", "detail": "x"}
    given = {"result": {}} if state == "succeeded" else {"problem": problem}
    session.execute(sa.update(Job).where(Job.id == job_id).values(**values, **given))
    session.expire_all()


def test_the_votes_are_counted_after_the_close_and_written_down(session):
    vote = make_vote(session, "yes", "for", "against", "abstain", quorum="2/5")
    tally = vote.count()
    result = vote.result()
    case = vote.case()

    assert (tally.method, tally.advisory) == ("yes-no", False)
    assert tally.groups == [["abstain", 1, 1], ["no", 1, 1], ["yes", 2, 2]]
    assert result["stages"][0]["votes"] == {"yes": 2, "no": 1, "abstain": 1}
    assert result["outcome"] == "passed"
    assert tally.result == canonical(result).decode()
    assert tally.ballots_sha256 == result["ballots"]["sha256"]
    assert case.events[Event.TALLIED].details == {
        "outcome": "passed",
        "failed_for": None,
        "elected": [],
        "ballots_sha256": tally.ballots_sha256,
        "tally_id": str(tally.id),
    }
    assert case.state(vote.after) is State.PASSED
    assert vote.parts() == []


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_parts_of_any_size_come_to_the_same_bytes(session, count):
    said = {"method": "scottish-stv", "options": OPTIONS, "seats": 2}
    whole = make_vote(session, *RANKINGS, **said).count()
    in_parts = make_vote(session, *reversed(RANKINGS), **said).count(count=count)

    assert in_parts.result == whole.result
    assert in_parts.groups == whole.groups


def test_only_the_last_ballot_of_each_voter_counts(session):
    vote = make_vote(session, "yes", "yes", "yes")
    for ballot in ("no", "abstain", "no"):
        vote.cast_one(vote.voters[1], ballot)
    vote.count(count=1)

    assert vote.result()["stages"][0]["people"] == {"yes": 2, "no": 1, "abstain": 0}


def test_votes_weigh_what_was_frozen(session):
    vote = make_vote(
        session, "yes", "no", "no", people=4, weights=[10, 4, 5, 81], weight="credits"
    )
    vote.count(count=2)
    result = vote.result()

    assert result["stages"][0]["votes"] == {"yes": 10, "no": 9, "abstain": 0}
    assert result["ballots"]["people"] == 3
    assert result["outcome"] == "passed"


@pytest.mark.parametrize("count", [1, 2, 100])
def test_a_ballot_carries_those_who_delegated_and_did_not_vote(session, count):
    """3 → 2 → 0 and 4 → 1, who votes; 5 delegates to 0 and votes all the same."""
    vote = make_vote(
        session,
        "yes",
        "no",
        people=7,
        delegates={2: 0, 3: 2, 4: 1, 5: 0},
        delegation=True,
        quorum="6/7",
    )
    vote.cast("no", start=5)
    tally = vote.count(count=count)
    result = vote.result()

    assert tally.groups == [["no", 3, 3], ["yes", 3, 3]]
    assert result["quorum"]["met"]
    assert (result["outcome"], result["failed_for"]) == ("failed", "threshold")


def test_secret_ballots_are_counted_without_anybody_to_them(session):
    said = {"secret": True, "replaceable": False, "method": "irv", "options": OPTIONS}
    vote = make_vote(session, *RANKINGS, **said)
    tally = vote.count(count=2)

    assert sum(people for _, people, _ in tally.groups) == len(RANKINGS)
    assert vote.result()["elected"] == ["ada"]


@pytest.mark.parametrize(
    ("method", "ballots", "wanted"),
    [
        ("single-choice", ["ada", None, "ada", "ben"], [["", 1, 1], ["ada", 2, 2]]),
        ("approval", [["ben", "ada"], ["ada", "ben"]], [[["ada", "ben"], 2, 2]]),
        ("score", [{"ben": 1, "ada": 5}], [[[["ada", 5], ["ben", 1]], 1, 1]]),
        ("quadratic", [{"ben": 3}, {"ben": 3}], [[[["ben", 3]], 2, 2]]),
        ("consent", ["consent", {"objection": "No."}], [[["objection", "No."], 1, 1]]),
    ],
)
def test_ballots_of_every_method_are_read_as_they_were_cast(
    session, method, ballots, wanted
):
    options = () if method == "consent" else OPTIONS
    vote = make_vote(session, *ballots, method=method, options=options)
    groups = vote.count().groups

    assert all(group in groups for group in wanted)
    assert sum(people for _, people, _ in groups) == len(ballots)


def test_a_tie_fails(session):
    vote = make_vote(session, "yes", "no")
    vote.count()

    assert vote.result()["failed_for"] == "threshold"
    assert vote.case().state(vote.after) is State.FAILED


def test_who_abstains_counts_to_the_quorum_and_a_missed_one_fails(session):
    met = make_vote(session, "yes", "abstain", "abstain", quorum="3/10")
    missed = make_vote(session, "yes", "abstain", quorum="3/10")

    assert (met.count(), met.result()["failed_for"])[1] is None
    assert (missed.count(), missed.result()["failed_for"])[1] == "quorum"


def test_nobody_voted(session):
    vote = make_vote(session)
    tally = vote.count()

    assert (tally.groups, vote.result()["failed_for"]) == ([], "no votes")


def test_nobody_stood(session):
    vote = Vote(session, method="scottish-stv").open().freeze()
    vote.cast([])
    vote.count()

    assert vote.result()["failed_for"] == "no options"
    assert vote.case().state(vote.after) is State.FAILED


def test_what_nobody_froze_is_frozen_first(session):
    vote = Vote(session).open()
    tally = vote.count()

    assert vote.case().freeze is not None
    assert json.loads(tally.result)["failed_for"] == "no votes"


def test_a_second_tally_of_a_proposal_does_nothing(session):
    vote = make_vote(session, "yes")
    tally = vote.count()
    again = [vote.step(part) for part in (0, 1, 2)]

    assert [one for one in again if "outcome" in one] == []
    assert vote.start() is None
    every = session.scalars(sa.select(Tally).where(Tally.proposal_id == vote.id)).all()
    assert every == [tally]


@pytest.mark.parametrize("seconds", [-60, -1, 0, 44])
def test_nothing_is_counted_before_late_ballots_are_stored(session, seconds):
    """A vote taken in just before the close may be written just after it."""
    vote = make_vote(session, "yes")
    told = vote.step(0, now=vote.closes + seconds * SECOND)

    assert "outcome" not in told
    assert vote.parts() == []
    if seconds >= 0:
        (waiting,) = tally_jobs(vote)
        assert told == {"waits_until": vote.after.isoformat()}
        assert waiting.run_at == vote.after


@pytest.mark.parametrize("kind", ["governance.cast", "governance.cast_secret"])
def test_it_waits_for_ballots_that_were_accepted_in_time(session, kind):
    vote = make_vote(session, "yes")
    late = submit_ballot(vote, at=vote.closes - SECOND, kind=kind)
    told = [vote.step(0), vote.step(0, now=vote.after + SECOND)]
    end(session, late.id, "succeeded")
    vote.count(now=vote.after + 5 * SECOND)

    until = [datetime.fromisoformat(one["waits_until"]) for one in told]
    assert until[0] - vote.after == tallying.SETTLING / 10 < until[1] - vote.after
    assert vote.result()["outcome"] == "passed"


def test_it_waits_for_no_ballot_of_after_the_close_or_of_another_vote(session):
    vote, other = make_vote(session, "yes"), make_vote(session, "yes")
    submit_ballot(vote, at=vote.closes)
    submit_ballot(other, at=vote.closes - SECOND)
    vote.count()

    assert vote.result()["outcome"] == "passed"


def test_each_job_submits_the_next_and_doubles_vanish(session):
    vote = make_vote(session, "yes", "no", "yes")
    first, again = vote.start(), vote.start()
    told = vote.step(0, count=2)
    twice = vote.step(0, count=2)

    assert first == again
    assert told == twice == {"counted": 2, "of": 3}
    assert [job.payload["part"] for job in tally_jobs(vote)] == [0, 1]
    assert {job.application for job in tally_jobs(vote)} == {"commons"}
    assert [part.ballots for part in vote.parts()] == [2]


@pytest.mark.parametrize("state", ["failed", "expired", "cancelled"])
def test_a_chain_that_broke_goes_on_where_it_was(session, state):
    vote = make_vote(session, *["yes"] * 5)
    vote.start()
    vote.step(0, count=2)
    before = tally_jobs(vote)
    for job in before:
        end(session, job.id, state)
    fresh = [vote.start(), vote.start()]
    jobs_now = tally_jobs(vote)
    for part in (1, 2, 3):
        vote.step(part, count=2)

    assert len(set(fresh)) == 1
    assert fresh[0] == jobs_now[-1].id not in [job.id for job in before]
    assert jobs_now[-1].payload["part"] == 1
    assert vote.result()["ballots"]["people"] == 5


def test_a_chain_that_only_waited_is_found_by_whoever_starts_it_again(session):
    vote = make_vote(session, "yes")
    first = vote.start(now=vote.closes)
    vote.step(0, now=vote.closes, id=first)
    end(session, first, "succeeded")
    second = vote.start(now=vote.closes + SECOND)

    assert [job.id for job in tally_jobs(vote)] == [first, second]


def test_a_cancelled_vote_is_not_counted(session):
    vote = make_vote(session, "yes")
    vote.happen(Event.CANCELLED, vote.opened, reason="no more")
    told = vote.step(0)

    assert told == {"counted": 0, "of": 1}
    assert tally_jobs(vote) == []


def test_progress_is_told_while_it_runs(session):
    vote = make_vote(session, *["yes"] * 5)
    seen = [tallying.progress(session, vote.case())]
    for part in range(4):
        vote.step(part, count=2)
        seen.append(tallying.progress(session, vote.case()))

    assert [one["counted"] for one in seen] == [0, 2, 4, 5, 5]
    assert {one["of"] for one in seen} == {5}


def test_a_hash_of_very_few_secret_ballots_is_not_told(session):
    said = {"secret": True, "replaceable": False}
    few = make_vote(session, *["yes"] * 4, **said)
    enough = make_vote(session, *["yes"] * 5, **said)
    few.count(), enough.count()

    told = [one.case().events[Event.TALLIED].details for one in (few, enough)]
    assert [one["ballots_sha256"] is None for one in told] == [True, False]
    assert [one["outcome"] for one in told] == ["passed", "passed"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tallies SET result = '{}' WHERE proposal_id = :id",
        "DELETE FROM tallies WHERE proposal_id = :id",
        (
            "INSERT INTO tallies SELECT gen_random_uuid(), proposal_id, method, "
            "advisory, ballots_sha256, groups, result, at "
            "FROM tallies WHERE proposal_id = :id"
        ),
    ],
)
def test_the_database_keeps_a_result_as_it_is_and_takes_no_second(session, statement):
    vote = make_vote(session, "yes")
    vote.count()

    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(sa.text(statement), {"id": vote.id})


ballots = st.lists(st.sampled_from(["yes", "no", "abstain"]), max_size=12)


@settings(max_examples=25)
@given(ballots, st.integers(1, 13), st.randoms(use_true_random=False))
def test_a_recount_gives_the_same_bytes(session, cast, count, order):
    mixed = list(cast)
    order.shuffle(mixed)
    first, second = (make_vote(session, *one, people=12) for one in (cast, mixed))

    assert first.count().result == second.count(count=count).result


def test_ranked_ballots_by_the_thousand_come_through_whole(session):
    draw = random.Random(7)
    cast = [draw.sample(OPTIONS, draw.randint(0, 3)) for _ in range(3_000)]
    said = {"method": "meek-stv", "options": OPTIONS, "seats": 2, "people": 3_000}
    vote = make_vote(session, **said).cast_many(cast)
    vote.count(count=1_000)

    assert vote.result()["ballots"]["people"] == 3_000
    assert vote.result()["ballots"]["blank"] == cast.count([])


def test_a_job_of_a_tally_is_nobodys_but_the_operators(session):
    vote = make_vote(session, "yes")
    vote.start()
    (job,) = tally_jobs(vote)

    assert (job.principal, job.kind, job.lane) == (None, tallying.TALLY, vote.lane)
