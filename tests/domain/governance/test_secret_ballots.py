"""Secret ballots: who has voted, what was cast, and nothing that leads across."""

import json

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from domain import jobs
from domain.councils import nominations
from domain.governance import freezing
from domain.governance.casting import CAST_SECRET
from domain.governance.secrecy import Secrecy, secrecy_of
from domain.governance.voting_record import (
    BallotReceipt,
    OpenBallot,
    Participation,
    SecretBallot,
)
from domain.ids import derived_id, uuid7
from domain.jobs import Job, Viewer
from tasks._sealing import seal, unseal
from tests.domain.governance.votes import (
    DAY,
    VOTING,
    ballot,
    find,
    make_people,
    make_vote,
    vote,
)
from tests.factories import NOW, make_job, make_user
from tests.proposals import make_draft
from tests.ranks import rank_correlation

SECRET = {"secret": True, "replaceable": False}
REFUSED = "23001"  # restrict_violation
TABLES = ("secret_ballots", "ballot_receipts", "participations")
FORBIDDEN = "42501"  # insufficient_privilege


def of(session, table, proposal_id):
    where = table.proposal_id == proposal_id
    return session.scalars(sa.select(table).where(where)).all()


@pytest.fixture
def people(session):
    return make_people(session, 20)


def test_a_secret_ballot_is_in_tables_that_share_no_key(session, people):
    proposal_id = make_vote(session, people, **SECRET)
    words = ["yes", "no"] * 10
    claims = [
        ballot(proposal_id, person, word, secret=True)
        for person, word in zip(people, words, strict=True)
    ]

    told = vote(session, *claims)

    voted = {row.voter_id for row in of(session, Participation, proposal_id)}
    cast = of(session, SecretBallot, proposal_id)
    receipts = {row.receipt for row in of(session, BallotReceipt, proposal_id)}
    assert voted == set(people)
    assert sorted(row.ballot for row in cast) == sorted(words)
    assert receipts == {one["receipt"] for one in told}
    assert {len(one) for one in receipts} == {32}
    assert of(session, OpenBallot, proposal_id) == []
    assert find(session, proposal_id).row.turnout == 20
    keys = {row.key.hex for row in cast}
    assert keys.isdisjoint(receipts | {one.hex for one in people})
    same = {"proposal_id", "definition_sha256"}
    assert all(one.keys() == {*same, "receipt"} for one in told)


def test_ballots_cast_one_by_one_do_not_lie_in_that_order(session):
    """As they come without ORDER BY: where a row lies its random key has chosen."""
    people = make_people(session, 50)
    options = tuple(f"option {number:02}" for number in range(50))
    proposal_id = make_vote(
        session, people, method="single-choice", options=options, **SECRET
    )
    for person, option in zip(people, options, strict=True):
        vote(session, ballot(proposal_id, person, option, secret=True))

    session.execute(sa.text("SET LOCAL enable_indexscan = off"))
    session.execute(sa.text("SET LOCAL enable_bitmapscan = off"))
    read = sa.text("SELECT ballot FROM secret_ballots WHERE proposal_id = :id")
    found = list(session.scalars(read, {"id": proposal_id}))

    assert sorted(found) == list(options)
    assert abs(rank_correlation([options.index(one) for one in found])) < 0.7


def test_receipts_of_a_batch_lie_in_no_order_of_its_voters(session, people):
    proposal_id = make_vote(session, people, **SECRET)
    vote(session, *[ballot(proposal_id, one, secret=True) for one in people])

    read = sa.text("SELECT receipt FROM ballot_receipts WHERE proposal_id = :id")
    found = list(session.scalars(read, {"id": proposal_id}))

    assert found == sorted(found)


def test_nobody_votes_twice_in_secret(session, people):
    proposal_id = make_vote(session, people, **SECRET)
    one = people[0]

    told = vote(session, *[ballot(proposal_id, one, w, secret=True) for w in "yn"])
    assert told == ["bad_ballot", "bad_ballot"]
    vote(session, ballot(proposal_id, one, secret=True))
    assert vote(session, ballot(proposal_id, one, secret=True)) == ["already_voted"]
    assert len(of(session, SecretBallot, proposal_id)) == 1


@pytest.mark.parametrize(
    "table", ["secret_ballots", "ballot_receipts", "participations"]
)
@pytest.mark.parametrize("column", ["xmin", "ctid"])
def test_what_wrote_a_row_and_where_it_lies_is_not_for_the_application(
    session, table, column
):
    """A transaction's number would lead from a ballot to the job it was cast by."""
    with pytest.raises(DBAPIError) as refused, session.begin_nested():
        session.execute(sa.text(f"SELECT {column} FROM {table}"))  # noqa: S608

    assert refused.value.orig.pgcode == FORBIDDEN


# The job


def submitted(session, kind, payload):
    job = make_job(kind=kind, queue="governance", payload=json.dumps(payload))
    jobs.submit(session, [job])
    return job.id


def payload_of(session, job_id):
    return session.scalar(sa.select(Job.payload).where(Job.id == job_id))


@pytest.mark.parametrize("choice", ["yes", "rubbish"])
def test_the_job_keeps_for_which_vote_it_was_and_no_more(session, people, choice):
    """Whether the ballot is cast or refused."""
    proposal_id = make_vote(session, people, **SECRET)
    said = {"proposal_id": str(proposal_id), "sealed": "abc"}
    job_id = submitted(session, CAST_SECRET, said)
    claim = ballot(proposal_id, people[0], choice, secret=True)._replace(id=job_id)

    vote(session, claim)

    assert payload_of(session, job_id) == {"proposal_id": str(proposal_id)}


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (CAST_SECRET, '{"proposal_id": "p", "sealed": "other"}'),
        (CAST_SECRET, '{"proposal_id": "other"}'),
        (CAST_SECRET, "{}"),
        (CAST_SECRET, "null"),
        ("governance.cast", '{"proposal_id": "p"}'),
        ("ledger.post_operation", '{"proposal_id": "p"}'),
    ],
)
def test_nothing_else_of_what_was_asked_for_can_be_changed(
    session, owner_engine, kind, payload
):
    job_id = submitted(session, kind, {"proposal_id": "p", "sealed": "abc"})
    change = sa.text("UPDATE jobs SET payload = CAST(:payload AS json) WHERE id = :id")

    with pytest.raises(DBAPIError) as refused, session.begin_nested():
        session.execute(change, {"payload": payload, "id": job_id})

    assert refused.value.orig.pgcode == REFUSED
    assert payload_of(session, job_id) == {"proposal_id": "p", "sealed": "abc"}


@pytest.mark.parametrize("end", ["cancelled", "expired"])
def test_a_ballot_that_is_not_cast_after_all_does_not_stay_sealed_either(session, end):
    job_id = submitted(session, CAST_SECRET, {"proposal_id": "p", "sealed": "abc"})
    other = submitted(session, "governance.cast", {"proposal_id": "p", "choice": "no"})

    for one in (job_id, other):
        if end == "cancelled":
            job = session.get(Job, one)
            viewer = Viewer(job.application, job.principal, operator=False)
            jobs.cancel(session, one, viewer, now=NOW)
        else:
            jobs.expire(session, count=1_000, now=NOW + 2 * DAY)

    session.expire_all()
    assert {session.get(Job, one).state for one in (job_id, other)} == {end}
    assert payload_of(session, job_id) == {"proposal_id": "p"}
    assert payload_of(session, other) == {"proposal_id": "p", "choice": "no"}


def test_a_ballot_that_failed_stays_sealed_for_another_try(session):
    job_id = submitted(session, CAST_SECRET, {"proposal_id": "p", "sealed": "abc"})

    jobs.fail(session, job_id, attempt=1, attempts_max=1, now=NOW)

    session.expire_all()
    assert session.get(Job, job_id).state == "failed"
    assert payload_of(session, job_id) == {"proposal_id": "p", "sealed": "abc"}


# Sealing

PROPOSAL = derived_id("a proposal")


def sealed(choice="yes", **fields):
    given = {"proposal_id": PROPOSAL, "voter": derived_id("a voter")}
    return seal(choice, secret="s", **{**given, **fields})


def opened(text, *, secret="s", voter=None, **fields):  # noqa: S107  a test's
    payload = {"proposal_id": str(PROPOSAL), "sealed": text, **fields}
    return unseal(payload, secret=secret, voter=voter or derived_id("a voter"))


@pytest.mark.parametrize(
    "choice", ["yes", None, ["ben", "ada"], {"ada": 3}, "é" * 300, []]
)
def test_what_is_sealed_is_read_by_who_has_the_secret(choice):
    assert opened(sealed(choice)) == {"proposal_id": str(PROPOSAL), "choice": choice}


def test_nobody_can_tell_that_the_same_was_cast_twice():
    """Who has only a guess of it, and seals that, sees another text."""
    assert len({sealed() for _ in range(10)}) == 10


def test_its_length_does_not_tell_what_was_cast():
    assert len({len(sealed(word)) for word in ("yes", "no", "abstain", None)}) == 1


LONG = tuple(f"option {number:02} " + "é" * 80 for number in range(40))
SHORT = ("ada", "ben")


@pytest.mark.parametrize(
    ("rules", "ballots"),
    [
        ({"method": "irv", "options": SHORT}, [[], ["ada"], ["ben", "ada"]]),
        ({"method": "irv", "options": LONG}, [[], [LONG[0]], list(LONG)]),
        ({"method": "single-choice", "options": LONG}, [None, LONG[0]]),
        ({"method": "approval", "options": LONG}, [[], LONG]),
        (
            {"method": "score", "options": LONG, "score_max": 1_000_000},
            [{}, dict.fromkeys(LONG, 1_000_000), [[one, 1_000_000] for one in LONG]],
        ),
        (
            {"method": "consent"},
            [
                *("consent", {"objection": "no"}, {"objection": "x" * 2000}),
                *({"objection": "\U0001f41d" * 2000}, {"objection": "\x01" * 2000}),
            ],
        ),
    ],
    ids=lambda value: value.get("method") if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("frozen", [True, False])
def test_all_ballots_of_a_vote_wait_at_one_length(
    session, people, rules, ballots, frozen
):
    """Whoever of them is the first, whose ballot freezes it."""
    proposal_id = make_vote(session, people, **rules, **SECRET)
    if frozen:
        freezing.freeze(session, find(session, proposal_id), now=VOTING)

    found = secrecy_of(session, proposal_id, now=VOTING)
    told = vote(
        session,
        *[
            ballot(proposal_id, person, one, secret=True)
            for person, one in zip(people, ballots, strict=False)
        ],
    )

    assert (found.sealed, found.settled) == (True, True)
    assert len({len(sealed(one, longest=found.longest)) for one in ballots}) == 1
    # They were ballots of this vote, all of them.
    assert all("receipt" in one for one in told)


def test_in_an_election_the_longest_ballot_names_all_who_stand(session, people):
    seats = {"seats": 3, "all": True}
    rules = {"method": "scottish-stv", "deed": "seats", **SECRET}
    proposal_id = make_vote(session, people, details=seats, **rules)
    names = []
    for _ in range(20):
        person = make_user(session)
        nominations.nominate(
            session,
            proposal_id,
            person=person.id,
            statement="",
            affiliation=None,
            now=NOW,
        )
        names.append(person.username)

    found = secrecy_of(session, proposal_id, now=VOTING)

    assert found.longest >= len(json.dumps(names))
    assert len(sealed([], longest=found.longest)) == len(
        sealed(names, longest=found.longest)
    )


def test_until_it_is_settled_what_is_cast_is_sealed_and_nothing_is_kept(
    session, people
):
    early = make_vote(session, people, **SECRET)
    never = make_draft(session).row.id
    open_ = make_vote(session, people)

    assert secrecy_of(session, early, now=NOW) == Secrecy(True, 0, False)
    assert secrecy_of(session, never, now=NOW) == Secrecy(True, 0, False)
    assert secrecy_of(session, open_, now=NOW) == Secrecy(False, 0, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "another"},
        {"voter": uuid7()},
        {"proposal_id": str(uuid7())},
        {"sealed": "AAAA"},
        {"sealed": "no base64"},
    ],
)
def test_what_is_not_sealed_so_is_no_ballot(wrong):
    assert "choice" not in opened(sealed(), **wrong)


def test_a_ballot_that_cannot_be_unsealed_is_refused_and_may_be_cast_again(
    session, people
):
    proposal_id = make_vote(session, people, **SECRET)
    claim = ballot(proposal_id, people[0], secret=True)
    unread = claim._replace(payload={"proposal_id": str(proposal_id)})

    assert vote(session, unread) == ["bad_ballot"]
    assert "receipt" in vote(session, claim)[0]
