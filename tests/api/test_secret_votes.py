"""A secret vote of fifty over HTTP, and somebody who reads everything afterwards.

The deployment's secret is all that is kept from them, and which transaction wrote a row
(docs/voting.md says who sees that).
"""

import re
from collections import Counter
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from domain.db import create_engine
from domain.settings import Settings
from tests.api.calling import make_nonce
from tests.api.votes import PROPOSALS, open_vote
from tests.factories import make_user
from tests.waiting import eventually

VOTERS = 50
OPTIONS = ("marigold", "cornflower", "foxglove")
SECRET = {"secret": True, "replaceable": False}
# Beside the ids and times of whom and what there is.
_TABLES = sa.text("""
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
""")


@pytest.fixture
def make_vote(api_sessions):
    """Return a maker of votes for all there are by then."""
    return lambda: _make_vote(api_sessions)


@pytest.fixture
def vote(person, make_vote):
    return make_vote()


def _make_vote(api_sessions):
    with api_sessions.begin() as session:
        author = make_user(session, now=datetime.now(UTC)).id
        rules = {"method": "irv", "options": OPTIONS, **SECRET}
        return str(open_vote(session, author, **rules))


@pytest.fixture
def rows(api_database):
    """Return every row of every table as text, as the owner of them reads it."""
    engine = create_engine(Settings(database_url=api_database), role=False)

    def read():
        with engine.connect() as connection:
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


def ranking(number):
    """Return one of six orders, in which half of them are alike."""
    first = OPTIONS[number % 3]
    return [first, *(one for one in OPTIONS if one != first)][: 1 + number % 2 * 2]


def test_nothing_stored_leads_from_a_voter_to_what_they_cast(
    new_person, make_vote, rows, request, capfd
):
    people = [new_person() for _ in range(VOTERS)]
    vote = make_vote()
    choices = [ranking(number) for number in range(VOTERS)]
    jobs = [
        cast(person, vote, choice).json
        for person, choice in zip(people, choices, strict=True)
    ]
    waiting = _payloads(rows(), jobs)
    request.getfixturevalue("worker")
    done = [
        person.get(f"/jobs/{job['id']}", params={"wait": "20"}).json
        for person, job in zip(people, jobs, strict=True)
    ]
    found = rows()

    # It did take place, and all was counted.
    assert [job["state"] for job in done] == ["succeeded"] * VOTERS
    ballots = [row for row in found["secret_ballots"] if vote in row]
    assert Counter(_ordered(ballots)) == Counter(map(tuple, choices))

    # By content: nothing that names a voter names an option, nor the other way round.
    voters = re.compile("|".join([p.id for p in people] + [job["id"] for job in jobs]))
    options = re.compile("|".join(OPTIONS))
    both = [
        (table, row)
        for table, all_of_it in found.items()
        for row in all_of_it
        if voters.search(row) and options.search(row)
    ]
    assert both == []
    # While they waited, too: sealed, all of one length, and none like another's.
    assert not any(options.search(one) for one in waiting)
    assert len(set(waiting)) == VOTERS
    assert len({len(re.search(r'"sealed":"([^"]+)"', one)[1]) for one in waiting}) == 1

    # By an id: what a ballot has of its own is nowhere else.
    keys = {re.search(r'"key":"([^"]+)"', row)[1] for row in ballots}
    elsewhere = [
        (table, row)
        for table, all_of_it in found.items()
        if not table.startswith("secret_ballots")
        for row in all_of_it
        if any(key in row for key in keys)
    ]
    assert len(keys) == VOTERS
    assert elsewhere == []

    # By a hash: not even who voted alike is seen.
    digests = [_member(row, "digest") for row in _jobs(found["jobs"], jobs)]
    assert len(set(digests)) == VOTERS

    # By time: there is none in the three tables.
    for table in ("secret_ballots", "ballot_receipts", "participations"):
        assert not any(re.search(r"20\d\d-\d\d-\d\dT", row) for row in found[table])

    # By order: in that in which rows lie, nobody's choice is where they voted.
    cast_in_order = list(map(tuple, choices))
    assert _ordered(ballots) != cast_in_order
    receipts = [row for row in found["ballot_receipts"] if vote in row]
    told = [job["result"]["receipt"] for job in done]
    assert [_member(row, "receipt") for row in receipts] != told

    # By the payload, which is gone.
    after = _payloads(found, jobs)
    assert set(after) == {f'{{"proposal_id" : "{vote}"}}'}

    # By the logs of the API and the worker, and the figures.
    logs = "".join(capfd.readouterr())
    figures = people[0].get("/metrics").text
    assert not options.search(logs)
    assert not options.search(figures)


def _member(row, name):
    return re.search(rf'"{name}":"?([^",}}]+)', row)[1]


def _jobs(rows, jobs):
    ids = {job["id"] for job in jobs}
    return [row for row in rows if _member(row, "id") in ids]


def _payloads(found, jobs):
    found_jobs = _jobs(found["jobs"], jobs)
    return [re.search(r'"payload":(\{.*?\})', row)[1] for row in found_jobs]


def _ordered(ballots):
    listed = [re.search(r'"ballot":\s*\[([^\]]*)\]', row)[1] for row in ballots]
    return [tuple(re.findall(r'"(\w+)"', one)) for one in listed]


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


def test_a_secret_ballot_sent_again_is_the_first_one(person, vote, worker):
    nonce = make_nonce()
    first = cast(person, vote, ["foxglove"], nonce=nonce)
    again = cast(person, vote, ["foxglove"], nonce=nonce)
    other = cast(person, vote, ["marigold"], nonce=nonce)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json["id"] == first.json["id"]
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")


def test_a_secret_ballot_comes_without_reasons(person, vote):
    answer = cast(person, vote, ["foxglove"], rationale="It is blue.")

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/rationale"


def test_a_refused_secret_ballot_leaves_no_choice_either(person, vote, worker, rows):
    body = {"choice": ["foxglove", "foxglove"], "nonce": make_nonce()}
    answer = person.done(f"{PROPOSALS}/{vote}/ballots", body)

    assert (answer.status_code, answer.json["code"]) == (422, "bad_ballot")
    (row,) = [one for one in rows()["jobs"] if person.id in one]
    assert "sealed" not in row
