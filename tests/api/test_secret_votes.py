"""A secret vote of fifty over HTTP, and somebody who reads everything afterwards.

The deployment's secret is all that is kept from them, and which transaction wrote a row
(docs/voting.md says who sees that).
"""

import json
import random
import re
from datetime import UTC, datetime
from itertools import permutations
from uuid import UUID

import pytest
import sqlalchemy as sa

from domain.db import create_engine
from domain.ids import derived_id
from domain.settings import Settings
from domain.tally import METHODS
from tests.api.calling import make_nonce
from tests.api.votes import PROPOSALS, open_vote
from tests.factories import make_user
from tests.ranks import rank_correlation
from tests.waiting import eventually

VOTERS = 50
OPTIONS = ("marigold", "cornflower", "foxglove", "snowdrop", "larkspur")
SECRET = {"secret": True, "replaceable": False}
# What a job has of its own, whoever cast what: who, when, under which keys.
_OWN = (
    *("id", "position", "principal", "idempotency", "request_id", "trace"),
    *("submitted_at", "started_at", "finished_at", "deadline"),
)
_TABLES = sa.text("""
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
""")


@pytest.fixture
def make_vote(api_sessions):
    """Return a maker of votes for all there are by then."""
    return lambda **rules: _make_vote(api_sessions, **rules)


@pytest.fixture
def vote(person, make_vote):
    return make_vote()


def _make_vote(api_sessions, **rules):
    with api_sessions.begin() as session:
        author = make_user(session, now=datetime.now(UTC)).id
        rules = {"method": "irv", "options": OPTIONS, **SECRET, **rules}
        return str(open_vote(session, author, **rules))


@pytest.fixture
def rows(api_database):
    """Return every row of every table as text, as the owner of them reads it.

    In the order in which they lie.
    """
    engine = create_engine(Settings(database_url=api_database), role=False)

    def read():
        with engine.connect() as connection:
            for way in ("indexscan", "indexonlyscan", "bitmapscan"):
                connection.execute(sa.text(f"SET enable_{way} = off"))
            return {
                table: [
                    row
                    for (row,) in connection.execute(
                        sa.text(f"SELECT row_to_json(t)::text FROM {table} t")  # noqa: S608
                    )
                ]
                for table in connection.scalars(_TABLES).all()
            }

    yield read
    engine.dispose()


def cast(person, vote, choice, **fields):
    body = {"choice": choice, "nonce": make_nonce(), **fields}
    return person.post(f"{PROPOSALS}/{vote}/ballots", body)


def jobs_of(rows, people):
    """Return the jobs of these people's ballots, in the order accepted."""
    ids = {person.id for person in people}
    found = [json.loads(row) for row in rows["jobs"]]
    own = [row for row in found if row["principal"] in ids]
    return sorted(own, key=lambda row: row["position"])


def test_nothing_stored_leads_from_a_voter_to_what_they_cast(
    new_person, make_vote, worker, rows, capfd
):
    """Though they vote one by one, and each ballot is applied before the next comes."""
    people = [new_person() for _ in range(VOTERS)]
    vote = make_vote()
    # All different, so that each is known again; in no order of their own.
    choices = random.Random(50).sample(list(permutations(OPTIONS)), VOTERS)
    path = f"{PROPOSALS}/{vote}/ballots"
    told = [
        person.done(path, {"choice": choice, "nonce": make_nonce()})
        for person, choice in zip(people, choices, strict=True)
    ]
    found = rows()
    jobs = jobs_of(found, people)

    # It did take place, one after another, and all was counted.
    assert [answer.status_code for answer in told] == [201] * VOTERS
    assert [job["principal"] for job in jobs] == [person.id for person in people]
    ballots = [json.loads(row) for row in found["secret_ballots"] if vote in row]
    assert sorted(tuple(one["ballot"]) for one in ballots) == sorted(choices)

    # By content: nothing that names a voter names an option, nor the other way round.
    known = [(person.id, job["id"]) for person, job in zip(people, jobs, strict=True)]
    voters = re.compile("|".join(one for pair in known for one in pair))
    options = re.compile("|".join(OPTIONS))
    both = [
        (table, row)
        for table, all_of_it in found.items()
        for row in all_of_it
        if voters.search(row) and options.search(row)
    ]
    assert both == []

    # By an id: what a ballot has of its own is nowhere else.
    keys = {key for one in ballots for key in (one["key"], UUID(one["key"]).hex)}
    receipts = {answer.json["receipt"] for answer in told}
    elsewhere = [
        (table, row)
        for table, all_of_it in found.items()
        if not table.startswith("secret_ballots")
        for row in all_of_it
        if any(key in row for key in keys)
    ]
    assert len(keys) == 2 * len(receipts) == 2 * VOTERS
    assert elsewhere == []
    assert not any(one in row for row in found["secret_ballots"] for one in receipts)

    # By a hash, a length, a count: but for who and when, all their jobs are the same.
    same = [{**job, **dict.fromkeys(_OWN), "result": _result(job)} for job in jobs]
    assert all(one == same[0] for one in same)
    assert same[0]["payload"] == {"proposal_id": vote}

    # By time: there is none in the three tables.
    for table in ("secret_ballots", "ballot_receipts", "participations"):
        assert not any(re.search(r"20\d\d-\d\d-\d\dT", row) for row in found[table])

    # By order: neither as they lie nor by their keys are ballots as they were cast.
    lying = [choices.index(tuple(one["ballot"])) for one in ballots]
    by_key = sorted(ballots, key=lambda one: one["key"])
    drawn = [choices.index(tuple(one["ballot"])) for one in by_key]
    assert abs(rank_correlation(lying)) < 0.7
    assert abs(rank_correlation(drawn)) < 0.7

    # By the logs of the API and the worker, and by the figures of both.
    logs = "".join(capfd.readouterr())
    figures = people[0].get("/metrics").text
    assert all(job["id"] in logs for job in jobs)
    assert "governance.cast_secret" in figures
    for told_to_operators in (logs, figures):
        assert not options.search(told_to_operators)
        assert not any(one in told_to_operators for one in keys | receipts)
    assert not voters.search(figures)
    assert vote not in figures


def _result(job):
    """Return what a voter was told, without what is theirs alone."""
    return {**job["result"], "receipt": None}


LONG = tuple(f"{name} {'of the meadow ' * 12}".strip() for name in OPTIONS)


def test_ballots_that_wait_are_sealed_and_all_of_one_length(
    new_person, make_vote, rows
):
    people = [new_person() for _ in range(6)]
    vote = make_vote(options=LONG)
    for number, person in enumerate(people):
        cast(person, vote, LONG[: number % 3 * 2])

    waiting = [job["payload"] for job in jobs_of(rows(), people)]

    assert {tuple(sorted(one)) for one in waiting} == {("proposal_id", "sealed")}
    assert len({one["sealed"] for one in waiting}) == len(people)
    assert len({len(one["sealed"]) for one in waiting}) == 1


def test_a_receipt_is_of_who_voted_and_of_no_ballot(person, vote, worker, rows):
    told = person.done(
        f"{PROPOSALS}/{vote}/ballots", {"choice": ["foxglove"], "nonce": make_nonce()}
    )
    found = rows()

    assert told.status_code == 201
    assert told.json.keys() == {"proposal_id", "definition_sha256", "receipt"}
    holding = [t for t, all_ in found.items() if told.json["receipt"] in "".join(all_)]
    assert sorted(holding) == ["ballot_receipts", "jobs"]


def test_ones_own_secret_vote_is_shown_as_cast_and_no_more(person, vote, worker):
    path = f"{PROPOSALS}/{vote}/ballots"
    before = person.get(f"{path}/mine").json["voted"]
    cast(person, vote, ["foxglove"])

    eventually(lambda: person.get(f"{path}/mine").json["voted"])
    shown = person.get(f"{path}/mine")

    assert before is False
    assert shown.json["ballots"] == []
    assert "foxglove" not in shown.text


def test_a_secret_ballot_sent_again_is_the_first_one_whatever_is_in_it(
    person, vote, worker
):
    """Were another choice told from the first one's, a buyer of votes could ask."""
    nonce = make_nonce()
    first = cast(person, vote, ["foxglove"], nonce=nonce)
    before = person.get(first.headers["Location"], params={"wait": "20"}).json

    answers = [
        cast(person, vote, choice, nonce=nonce)
        for choice in (["foxglove"], ["marigold"], [], "rubbish", None)
    ]

    assert {answer.status_code for answer in answers} == {202}
    assert {answer.headers["Idempotency-Replayed"] for answer in answers} == {"true"}
    assert {answer.json["id"] for answer in answers} == {first.json["id"]}
    assert person.get(first.headers["Location"]).json == before


def test_a_nonce_is_good_for_one_vote(person, make_vote):
    nonce = make_nonce()
    cast(person, make_vote(), [], nonce=nonce)
    answer = cast(person, make_vote(), [], nonce=nonce)

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")


def test_who_has_the_secret_as_well_finds_nothing_in_a_ballot_that_was_cast(
    person, vote, worker, rows
):
    """No hash of it is left to try choices and nonces on."""
    others = make_nonce(), make_nonce()
    body = {"choice": ["foxglove"], "nonce": "marigold"}
    person.done(f"{PROPOSALS}/{vote}/ballots", body)
    (job,) = jobs_of(rows(), [person])

    tried = derived_id("commons", person.id, "governance.ballots", "marigold")
    assert job["idempotency"] != str(tried)
    assert job["payload"] == {"proposal_id": vote}
    for other, choice in zip(others, (["marigold"], []), strict=True):
        answer = cast(person, vote, choice, nonce=other)
        (found,) = [
            one for one in jobs_of(rows(), [person]) if one["id"] == answer.json["id"]
        ]
        assert found["digest"] == job["digest"]


def test_a_secret_ballot_comes_without_reasons(person, vote):
    answer = cast(person, vote, ["foxglove"], rationale="It is blue.")

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/rationale"


# Of every method that a secret vote may have: ballots it does not take.
REFUSED = [
    ("yes-no", "Foxglove"),
    ("consent", {"objection": " ", "because": "foxglove"}),
    ("consent", {"objection": "foxglove " * 500}),
    ("single-choice", "Foxglove"),
    ("single-choice", ["foxglove"]),
    ("approval", ["foxglove", "foxglove"]),
    ("approval", ["Foxglove"]),
    ("score", {"foxglove": 6}),
    ("score", [["foxglove", 1], ["foxglove", 4]]),
    ("irv", ["foxglove", "foxglove"]),
    ("scottish-stv", ["Foxglove"]),
    ("meek-stv", {"foxglove": 1}),
]


def test_refusals_are_tried_of_every_method_there_is():
    assert {method for method, _ in REFUSED} == METHODS.keys() - {"quadratic"}


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("refused", REFUSED, ids=str)
def test_a_refused_secret_ballot_leaves_no_word_of_it(
    person, make_vote, rows, capfd, refused
):
    method, choice = refused
    options = () if method in {"yes-no", "consent"} else OPTIONS
    vote = make_vote(method=method, options=options)
    body = {"choice": choice, "nonce": make_nonce()}
    answer = person.done(f"{PROPOSALS}/{vote}/ballots", body)

    assert (answer.status_code, answer.json["code"]) == (422, "bad_ballot")
    (row,) = [one for one in rows()["jobs"] if person.id in one]
    assert "sealed" not in row
    for left in (row, answer.text, "".join(capfd.readouterr())):
        assert "foxglove" not in left.lower()
