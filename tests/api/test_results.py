"""Results, packages and other counts over HTTP."""

import json
import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from cli import main
from domain.governance import lists, packages
from domain.keys import SCOPES
from domain.tally import blt, canonical
from tests.api.calling import NDJSON, pointers
from tests.api.governance_votes import OPTIONS, RANKINGS, hold, hold_ranked

ROOT = "/api/governance/proposals"
SECRET = {"secret": True, "replaceable": False}
OPEN = timedelta(days=1)
PARTS = ("result", "package", "explain", "counts")


@pytest.fixture(scope="module")
def election(api_sessions):
    return f"{ROOT}/{hold_ranked(api_sessions)}"


def test_a_result_is_shown_with_every_stage(person, election):
    answer = person.get(f"{election}/result")
    said = answer.json

    assert answer.status_code == 200
    assert (said["phase"], said["outcome"]) == ("counted", "passed")
    assert said["elected"] == said["result"]["elected"]
    assert set(said["links"]) == {"proposal", "explain", "package", "counts"}
    again = person.get(
        f"{election}/result", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_a_result_that_was_told_is_told_again_without_the_database(
    person, election, engines
):
    first = person.get(f"{election}/result")
    statements = []
    engine = engines[0]

    def noted(*arguments):
        statements.append(arguments[2])

    sa.event.listen(engine, "before_cursor_execute", noted)
    second = person.get(f"{election}/result")
    sa.event.remove(engine, "before_cursor_execute", noted)

    assert second.content == first.content
    assert not any("tallies" in one or "proposals" in one for one in statements)


def test_an_open_vote_is_never_kept(person, api_sessions):
    path = f"{ROOT}/{hold(api_sessions, 'yes', count=False, ago=OPEN)}/result"
    first = person.get(path).json

    assert (first["phase"], first["turnout"]) == ("open", 1)
    assert first["so_far"]["votes"] == {"yes": 1, "no": 0, "abstain": 0}
    assert person.get(path).status_code == 200


def test_a_package_of_the_api_is_recounted_by_the_command(person, election, tmp_path):
    package, voters = tmp_path / "package.json", tmp_path / "voters.ndjson"
    answer = person.get(f"{election}/package")
    package.write_bytes(answer.content)
    voters.write_bytes(person.get(f"{election}/package?format=voters").content)
    command = ["tally", "verify", str(package), "--voters", str(voters)]
    said = CliRunner().invoke(main, command)

    assert said.exit_code == 0, said.output
    assert answer.content == canonical(answer.json)
    assert "attachment" in answer.headers["Content-Disposition"]
    assert said.output.count("ok  ") == 7


def test_a_package_holds_all_it_takes(person, election):
    package = person.get(f"{election}/package").json

    assert [one for one in packages.verify(package) if not one.holds] == []


def test_ballots_are_given_as_blt(person, election):
    answer = person.get(f"{election}/package?format=blt")
    file = blt.read(answer.text)

    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (file.options, file.seats) == (OPTIONS, 2)
    assert sum(file.rankings.values()) == len(RANKINGS) - 1


def test_who_voted_is_a_list_a_page_at_a_time(person, election, monkeypatch):
    package = person.get(f"{election}/package").json
    monkeypatch.setattr(lists.page, "__kwdefaults__", {"count": 2})
    answer = person.get(f"{election}/package?format=voters")

    assert answer.headers["Content-Type"] == NDJSON
    assert len(answer.content.splitlines()) == len(RANKINGS) + 2
    assert [c for c in lists.verify(package, answer.content) if not c.holds] == []


def test_receipts_of_a_secret_vote_are_listed_and_no_voters(person, api_sessions):
    path = f"{ROOT}/{hold_ranked(api_sessions, **SECRET)}"
    answer = person.get(f"{path}/package?format=voters")
    first, *receipts, last = map(json.loads, answer.content.splitlines())

    assert (first["of"], last["lines"]) == ("receipts", len(RANKINGS))
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in receipts)


def test_another_count_is_made_by_a_job_and_listed(person, election, worker):
    path = f"{election}/counts"
    made = person.done(path, {"method": "meek-stv", "seats": 1})
    bound = person.get(f"{election}/result").json

    assert made.status_code == 201, made.text
    assert made.json["count"]["advisory"] is True
    assert made.json["count"]["ballots_sha256"] == bound["ballots_sha256"]
    assert made.json["count"] in person.get(path).json["counts"]
    assert person.get(f"{election}/result").json == bound


def test_sent_twice_under_one_key_it_is_one_job(person, election):
    key = {"Idempotency-Key": str(uuid4())}
    body = {"method": "irv"}
    first, again = (
        person.post(f"{election}/counts", body, headers=key) for _ in range(2)
    )

    assert first.status_code == again.status_code == 202
    assert first.json["id"] == again.json["id"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"method": "score"}, 409, "ballots_not_countable"),
        ({"method": "irv", "seats": 2}, 409, "ballots_not_countable"),
        ({"method": "borda"}, 422, "invalid_body"),
        ({"method": "irv", "seats": 0}, 422, "invalid_body"),
        ({"method": "irv", "seats": "1"}, 422, "invalid_body"),
        ({"seats": 1}, 422, "invalid_body"),
    ],
)
def test_a_count_that_cannot_be_is_refused_at_once(
    person, election, body, status, code
):
    answer = person.post(f"{election}/counts", body)

    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_before_the_count_there_is_no_package_and_no_other_count(person, api_sessions):
    path = f"{ROOT}/{hold(api_sessions, 'yes', count=False)}"
    answers = [
        person.get(f"{path}/package"),
        person.get(f"{path}/package?format=voters"),
        person.post(f"{path}/counts", {"method": "irv"}),
    ]

    assert [one.status_code for one in answers] == [409] * 3
    assert {one.json["code"] for one in answers} == {"not_counted_yet"}
    assert person.get(f"{path}/result").json["phase"] == "counting"
    assert person.get(f"{path}/counts").json["counts"] == []


def test_of_very_few_secret_ballots_the_outcome_is_all_there_is(person, api_sessions):
    path = f"{ROOT}/{hold(api_sessions, 'yes', 'no', 'yes', **SECRET)}"
    answers = [
        person.get(f"{path}/package"),
        person.get(f"{path}/package?format=blt"),
        person.get(f"{path}/package?format=voters"),
        person.post(f"{path}/counts", {"method": "irv"}),
    ]
    result = person.get(f"{path}/result").json

    assert [one.status_code for one in answers] == [403] * 4
    assert {one.json["code"] for one in answers} == {"result_withheld"}
    assert (result["outcome"], result["result"]) == ("passed", None)
    assert "Fewer than 5" in person.get(f"{path}/explain").json["explanation"]


def test_a_state_is_explained(person, election):
    said = person.get(f"{election}/explain").json

    assert said["state"] == "passed"
    assert said["sentences"][-1] == "Passed."
    assert said["rule"]["parameters"]["method"] == "scottish-stv"


@pytest.mark.parametrize("part", PARTS)
def test_of_no_proposal_there_is_nothing(person, part):
    answer = person.get(f"{ROOT}/{uuid4()}/{part}")

    assert (answer.status_code, answer.json["code"]) == (404, "no_such_proposal")


@pytest.mark.parametrize("part", PARTS)
def test_reading_needs_the_scope_to_read(new_caller, election, part):
    without = new_caller(*(set(SCOPES) - {"governance:read"}))
    with_it = new_caller("governance:read")

    assert without.get(f"{election}/{part}").json["scope"] == "governance:read"
    assert with_it.get(f"{election}/{part}").status_code == 200


def test_a_key_asks_for_no_count(caller, election):
    answer = caller.post(f"{election}/counts", {"method": "irv"})

    assert (answer.status_code, answer.json["scope"]) == (403, "governance:vote")


@pytest.mark.parametrize("query", ["format=xml", "voters=1", "format=json,x"])
def test_a_format_there_is_not_is_refused(person, election, query):
    answer = person.get(f"{election}/package?{query}")

    assert answer.status_code == 422
    assert pointers(answer)[0].startswith("?")


def test_the_page_of_packages_says_what_the_code_says():
    page = (Path(__file__).parents[2] / "docs" / "results.md").read_text()

    for name in (packages.FORMAT, lists.FORMAT, "coin tally verify"):
        assert name in page
