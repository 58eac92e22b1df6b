"""Secret ballots: who has voted, what was cast, and nothing that leads across."""

import json

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from domain import jobs
from domain.governance.casting import CAST_SECRET
from domain.governance.voting_record import (
    BallotReceipt,
    OpenBallot,
    Participation,
    SecretBallot,
)
from domain.ids import derived_id, uuid7
from domain.jobs import Job
from tasks._sealing import seal, unseal
from tests.domain.governance.votes import (
    ballot,
    find,
    make_people,
    make_vote,
    vote,
)
from tests.factories import make_job

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
    assert abs(_rank_correlation([options.index(one) for one in found])) < 0.7


def _rank_correlation(ranks):
    """Return Spearman's, which is 1 in order; by chance beyond 0.7 once in 10^6."""
    size = len(ranks)
    squares = sum((rank - place) ** 2 for place, rank in enumerate(ranks))
    return 1 - 6 * squares / (size * (size * size - 1))


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


@pytest.mark.parametrize(
    "table", ["secret_ballots", "ballot_receipts", "participations"]
)
@pytest.mark.parametrize("deed", ["DELETE FROM {}", "UPDATE {} SET proposal_id = NULL"])
def test_what_was_cast_is_not_changed(owner_engine, table, deed):
    with owner_engine.connect() as connection, pytest.raises(DBAPIError) as refused:
        connection.execute(sa.text(deed.format(table)))

    assert refused.value.orig.pgcode == REFUSED


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
    said = {"proposal_id": str(proposal_id), "sealed": "abc", "nonce": "n"}
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


# Sealing

PROPOSAL = derived_id("a proposal")


def sealed(choice="yes", **fields):
    given = {"proposal_id": PROPOSAL, "voter": derived_id("a voter"), "nonce": "n"}
    return seal(choice, secret="s", **{**given, **fields})


def opened(text, *, secret="s", voter=None, **fields):  # noqa: S107  a test's
    payload = {"proposal_id": str(PROPOSAL), "nonce": "n", "sealed": text, **fields}
    return unseal(payload, secret=secret, voter=voter or derived_id("a voter"))


@pytest.mark.parametrize(
    "choice", ["yes", None, ["ben", "ada"], {"ada": 3}, "é" * 300, []]
)
def test_what_is_sealed_is_read_by_who_has_the_secret(choice):
    assert opened(sealed(choice)) == {"proposal_id": str(PROPOSAL), "choice": choice}


def test_the_same_ballot_sent_again_is_the_same_text():
    """So that an idempotency key is known again with it."""
    assert sealed({"a": 1, "b": 2}) == sealed({"b": 2, "a": 1})


@pytest.mark.parametrize(
    "other", [{"voter": uuid7()}, {"nonce": "m"}, {"proposal_id": uuid7()}]
)
def test_the_same_choice_of_another_is_another_text(other):
    assert sealed() != sealed(**other)


def test_its_length_does_not_tell_what_was_cast():
    assert len({len(sealed(word)) for word in ("yes", "no", "abstain", None)}) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "another"},
        {"voter": uuid7()},
        {"nonce": "m"},
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
