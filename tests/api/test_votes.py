"""Open votes, delegations and conflicts of interest over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import uuid4

import pytest
import sqlalchemy as sa

from domain.governance.voting_record import OpenBallot, Participation
from domain.ids import uuid7
from tests.api.calling import make_nonce, pointers
from tests.api.holders import REQUIRED, refusal, send
from tests.api.votes import DELEGATIONS, PROPOSALS, draft, open_vote
from tests.factories import make_user
from tests.waiting import eventually


@pytest.fixture
def make_vote(api_sessions):
    def make(**rules):
        with api_sessions.begin() as session:
            author = make_user(session, now=datetime.now(UTC)).id
            return str(open_vote(session, author, **rules))

    return make


def ballots(vote):
    return f"{PROPOSALS}/{vote}/ballots"


def body(choice="yes", **fields):
    return {"choice": choice, "nonce": make_nonce(), **fields}


def mine(person, vote):
    return person.get(f"{ballots(vote)}/mine").json


# Ballots


def test_a_ballot_is_a_job_and_then_ones_own(person, make_vote, worker):
    vote = make_vote()

    accepted = person.post(ballots(vote), body("FOR", rationale="Water!"))
    done = person.get(accepted.headers["Location"], params={"wait": "20"}).json

    assert accepted.status_code == 202
    frozen = person.get(f"{PROPOSALS}/{vote}").json["freeze"]["sha256"]
    assert done["result"] == {
        "proposal_id": vote,
        "definition_sha256": frozen,
        "sequence": 1,
        "weight": 1,
    }
    (own,) = mine(person, vote)["ballots"]
    assert (own["choice"], own["rationale"], own["job_id"]) == (
        "yes",
        "Water!",
        done["id"],
    )


def test_a_ballot_that_waits_is_answered_with_what_came_of_it(
    person, make_vote, worker
):
    vote = make_vote(replaceable=False)

    first = person.done(ballots(vote), body())
    second = person.done(ballots(vote), body("no"))

    assert (first.status_code, first.json["sequence"]) == (201, 1)
    assert (second.status_code, second.json["code"]) == (409, "already_voted")


def test_what_was_frozen_is_on_every_answer_by_its_hash(
    person, caller, make_vote, worker
):
    vote = make_vote()
    path = f"{PROPOSALS}/{vote}"
    before = [person.get(f"{path}/{name}").json for name in ("explain", "result")]
    cast = person.done(ballots(vote), body()).json
    frozen = person.get(path).json["freeze"]["sha256"]
    after = [
        *(person.get(f"{path}/{name}").json for name in ("explain", "result")),
        *person.get(f"{path}/versions").json["versions"],
        mine(person, vote),
        cast,
    ]

    assert [one["definition_sha256"] for one in before] == [None] * 2
    assert [one["definition_sha256"] for one in after] == [frozen] * 5


def test_a_ballot_needs_a_nonce_and_a_choice(person, make_vote):
    vote = make_vote()

    assert pointers(person.post(ballots(vote), {"choice": "yes"})) == ["/nonce"]
    assert pointers(person.post(ballots(vote), {"nonce": "n"})) == ["/choice"]
    assert pointers(person.post(ballots(vote), body(["a" * 70_000]))) == ["/choice"]
    assert pointers(person.post(ballots(vote), body({"a": 0.5}))) == ["/choice"]


def test_an_idempotency_key_does_for_a_nonce(person, make_vote):
    vote = make_vote()
    headers = {"Idempotency-Key": make_nonce()}

    answers = [
        person.post(ballots(vote), {"choice": "yes"}, headers=headers) for _ in "12"
    ]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[1].json["id"] == answers[0].json["id"]


def test_nobody_votes_on_what_there_is_not(person):
    answer = person.post(ballots(uuid4()), body())

    assert (answer.status_code, answer.json["code"]) == (404, "no_such_proposal")


def test_what_was_not_opened_takes_no_ballot_and_shows_none(
    person, api_sessions, worker
):
    """Its type may yet become a secret one: until it is opened all are sealed."""
    with api_sessions.begin() as session:
        author = make_user(session, now=datetime.now(UTC)).id
        vote = str(draft(session, author))

    answer = person.done(ballots(vote), body())
    job = person.get("/jobs").json["jobs"][0]

    assert (answer.status_code, answer.json["code"]) == (409, "voting_not_open")
    assert job["kind"] == "governance.cast_secret"


def test_votes_that_cost_credits_are_signed_by_who_demands_it(
    holder, person, caller, make_vote, worker
):
    vote = make_vote(method="quadratic", options=("ada", "ben"), budget=100)
    for one in (holder, person):
        caller.fund(str(one.id), times=5)
    path = ballots(vote)

    assert refusal(send(holder, body({"ada": 7}), path=path)) == REQUIRED
    assert mine(holder, vote)["voted"] is False
    signed = send(holder, body({"ada": 5}), path=path, signer=holder.own)
    assert signed.status_code == 202
    assert person.done(path, body({"ada": 5})).json["credits"] == 25


def test_votes_that_cost_nothing_are_not_signed(holder, make_vote, worker):
    assert holder.done(ballots(make_vote()), body()).status_code == 201


def test_whether_a_vote_is_secret_is_looked_up_once(
    new_app, new_person, make_vote, engines
):
    vote, app = make_vote(), new_app()
    person = new_person(app=app)
    person.post(ballots(vote), body())
    seen = []
    engine = engines[-2]

    def note(_connection, _cursor, statement, *_others):
        seen.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    answer = person.post(ballots(vote), body())
    sa.event.remove(engine, "before_cursor_execute", note)

    assert answer.status_code == 202
    assert not [one for one in seen if "proposal" in one]


def test_two_hundred_at_once_leave_one_effective_ballot(
    person, make_vote, worker, api_sessions
):
    """Each in a thread of its own, and none sent before all are there."""
    vote = make_vote()
    together = Barrier(200)

    def cast(number):
        together.wait(20)
        return person.post(ballots(vote), body("yes" if number % 2 else "no"))

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(cast, range(200)))
    assert {answer.status_code for answer in answers} == {202}
    for answer in answers:
        path = answer.headers["Location"]
        assert person.get(path, params={"wait": "20"}).json["state"] == "succeeded"

    with api_sessions() as session:
        voted = sa.select(Participation).where(Participation.proposal_id == vote)
        kept = sa.select(OpenBallot).where(OpenBallot.proposal_id == vote)
        assert len(session.scalars(voted).all()) == 1
        rows = session.scalars(kept.order_by(OpenBallot.sequence)).all()
    # One above another, in the order accepted: the last counts.
    assert [row.sequence for row in rows] == list(range(1, 201))
    assert mine(person, vote)["ballots"][0]["choice"] == rows[-1].ballot


# How long before and after a close ballots are sent without a pause.
AROUND = timedelta(seconds=0.3)


def test_at_the_close_the_time_of_acceptance_decides_and_nothing_else(
    new_person, new_app, app, worker, api_sessions
):
    """Two processes of the API, ballots right up to the close and past it."""
    closes = datetime.now(UTC) + timedelta(seconds=2)
    opened = closes - timedelta(days=1)
    people = [new_person(app=one, now=opened) for one in (app, new_app()) for _ in "12"]
    with api_sessions.begin() as session:
        author = make_user(session, now=opened).id
        vote = str(open_vote(session, author, voting_days=1, now=opened))

    def cast_until_it_is_over(person):
        locations = []
        while datetime.now(UTC) < closes + AROUND:
            locations.append(person.post(ballots(vote), body()).headers["Location"])
        return [
            person.get(one, params={"wait": "20"}).json | {"voter": person}
            for one in locations
        ]

    eventually(lambda: datetime.now(UTC) > closes - AROUND)
    with ThreadPoolExecutor(len(people)) as pool:
        jobs = [job for all_ in pool.map(cast_until_it_is_over, people) for job in all_]

    at = {job["id"]: datetime.fromisoformat(job["submitted_at"]) for job in jobs}
    cast = [job for job in jobs if job["state"] == "succeeded"]
    late = [job for job in jobs if job["state"] == "refused"]
    assert len(cast) + len(late) == len(jobs)
    assert max(at[job["id"]] for job in cast) < closes
    assert min(at[job["id"]] for job in late) >= closes
    assert {job["problem"]["code"] for job in late} == {"voting_closed"}
    # Whoever asks is told so: what counts is the last that was accepted in time.
    for person in people:
        own = [job["id"] for job in cast if job["voter"] is person]
        newest = mine(person, vote)["ballots"][0]
        assert newest["job_id"] == max(own, key=at.get)


@pytest.mark.parametrize(
    "rules", [{}, {"secret": True, "replaceable": False}], ids=["open", "secret"]
)
def test_no_operator_cancels_the_ballot_of_another(
    person, new_person, make_vote, rules
):
    operator = new_person("operator")
    waiting = person.post(ballots(make_vote(**rules)), body()).headers["Location"]

    refused = operator.delete(waiting)
    state = operator.get(waiting).json["state"]

    assert (refused.status_code, refused.json["code"]) == (403, "not_your_ballot")
    assert state == "queued"
    assert person.delete(waiting).json["state"] == "cancelled"


def test_keys_do_not_vote(caller, make_vote):
    answer = caller.post(ballots(make_vote()), body())

    assert (answer.status_code, answer.json["scope"]) == (403, "governance:vote")


# Delegations


def test_a_vote_is_delegated_for_all_or_for_a_type(new_person):
    one, other = new_person(), new_person()
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    topic = {"topic": "recall", "until": until}

    for_all = one.post(DELEGATIONS, {"delegate_id": other.id})
    special = one.post(DELEGATIONS, {"delegate_id": other.id, **topic})

    assert (for_all.status_code, special.status_code) == (201, 201)
    assert one.get(special.headers["Location"]).json == special.json
    given = one.get(DELEGATIONS).json["delegations"]
    received = other.get(DELEGATIONS, params={"direction": "received"}).json
    assert given == received["delegations"] == [special.json, for_all.json]
    assert (special.json["topic"], special.json["until"]) == ("recall", until)


def test_a_delegation_is_ended(new_person):
    one, other = new_person(), new_person()
    path = one.post(DELEGATIONS, {"delegate_id": other.id}).headers["Location"]

    assert one.delete(path).status_code == 204
    assert one.get(path).json["ended_at"] is not None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"delegate_id": str(uuid7())}, "no_such_user"),
        ({"topic": "weather"}, "no_such_proposal_type"),
        ({"until": "2020-01-01T00:00:00Z"}, "ends_too_early"),
    ],
)
def test_what_cannot_be_delegated_is_told(new_person, fields, code):
    one, other = new_person(), new_person()

    answer = one.post(DELEGATIONS, {"delegate_id": other.id, **fields})

    assert answer.json["code"] == code


def test_nobody_delegates_to_themselves(person):
    answer = person.post(DELEGATIONS, {"delegate_id": person.id})

    assert (answer.status_code, answer.json["code"]) == (422, "delegated_to_yourself")


def test_a_voter_sees_who_voted_for_them_and_how(new_person, make_vote, worker):
    one, other = new_person(), new_person()
    one.post(DELEGATIONS, {"delegate_id": other.id})
    vote = make_vote(delegation=True)
    other.done(ballots(vote), body("no", rationale="Too dear."))

    carried = mine(one, vote)["carried_by"]
    one.done(ballots(vote), body("yes"))

    assert carried == {
        "user_id": other.id,
        "username": other.user.username,
        "choice": "no",
        "rationale": "Too dear.",
    }
    # One's own vote overrides.
    assert mine(one, vote)["carried_by"] is None


# Conflicts of interest


def test_who_declares_an_interest_may_but_abstain(person, admin, make_vote, worker):
    vote = make_vote()
    said = {"reason": "My brother would be paid."}

    declared = person.post(f"{PROPOSALS}/{vote}/conflicts", said)
    answers = [person.done(ballots(vote), body(word)) for word in ("yes", "abstain")]

    assert declared.status_code == 201
    assert declared.json == mine(person, vote)["conflict"]
    assert [answer.status_code for answer in answers] == [409, 201]
    events = admin.get("/api/audit/events", params={"action": "conflict.declared"})
    assert events.json["events"][0]["subject"] == f"proposal:{vote}"
