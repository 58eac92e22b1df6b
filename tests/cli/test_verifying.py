"""`coin tally verify`: says what holds, what differs, and ends with 1 when any does."""

import json

import pytest

from domain.governance import lists, packages
from domain.tally import canonical
from tests.databases import ROOT
from tests.voting import make_vote

RANKED = {"method": "irv", "options": ("ada", "ben")}
RANKINGS = [["ada"], ["ben", "ada"], ["ada", "ben"]]


@pytest.fixture
def vote(session):
    made = make_vote(session, *RANKINGS, **RANKED)
    made.count()
    return made


@pytest.fixture
def package(vote, tmp_path):
    """The package of a vote, and the file it is in."""
    made = packages.build(vote.session, vote.case())
    path = tmp_path / "package.json"
    path.write_bytes(canonical(made))
    return json.loads(path.read_bytes()), path


@pytest.fixture
def voters(vote, tmp_path):
    first = lists.head(vote.session, vote.case())
    lines, _ = lists.page(vote.session, vote.case(), after=None)
    path = tmp_path / "voters.ndjson"
    path.write_bytes(b"".join(lists.written(first, [lines])))
    return path


def test_a_package_that_holds_is_said_to(coin, package, voters):
    made, path = package
    said = coin("tally", "verify", path, "--voters", voters)

    assert said.exit_code == 0
    lines = said.stdout.splitlines()
    assert lines[:7] == [
        (
            "ok       what was frozen has the hash that was published, and is of this "
            "proposal"
        ),
        "ok       the seed of lots is the one committed to before voting opened",
        "ok       the ballots of 3 people have the hash that was published",
        "ok       counting the ballots again gives the same result, byte for byte",
        "ok       the list of 3 lines is whole",
        "ok       the list is of this package",
        "ok       the ballots of 3 voters add up to those that were counted",
    ]
    assert f"ballots   {made['ballots_sha256']}" in lines
    assert "elected   ada" in lines


def test_what_differs_is_said_and_where(coin, package):
    made, path = package
    made["result"]["stages"][0]["votes"]["ada"] += 1
    path.write_bytes(canonical(made))
    said = coin("tally", "verify", path)

    assert said.exit_code == 1
    assert (
        "differs  counting the ballots again gives the same result, byte for byte\n"
        "         result.stages[0].votes.ada is said to be 3, counted was 2.\n"
    ) in said.stdout
    assert "1 of these differ" in said.stdout


def test_a_list_that_differs_is_said_to(coin, package, voters):
    _, path = package
    voters.write_bytes(voters.read_bytes().replace(b'["ada"]', b'["ben"]'))
    said = coin("tally", "verify", path, "--voters", voters)

    assert said.exit_code == 1
    assert "differs  the list of 3 lines is whole" in said.stdout
    assert "They add up to others." in said.stdout


def test_of_a_package_that_differs_the_list_is_not_looked_at(coin, package, voters):
    made, path = package
    path.write_bytes(canonical({**made, "seed": "00"}))
    said = coin("tally", "verify", path, "--voters", voters)

    assert said.exit_code == 1
    assert "the list" not in said.stdout


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"format": 1, "format": 2}', "a name twice"),
        (b"[]", "no package"),
        (b'{"format": "coin package 1"}', "Members are missing"),
    ],
)
def test_a_file_that_is_no_package_is_refused(coin, tmp_path, raw, fault):
    path = tmp_path / "file"
    path.write_bytes(raw)
    said = coin("tally", "verify", path)

    assert said.exit_code == 1
    assert fault in said.stderr


def test_the_lines_of_the_page_check_it_too(package):
    """They are all that somebody needs who trusts none of our code."""
    page = (ROOT / "docs" / "results.md").read_text()
    _, _, after = page.partition("```python\n")
    code = {}
    exec(after.partition("```")[0], code)  # noqa: S102  it is our own page
    made, _ = package

    assert code["check"](made)
    assert not code["check"]({**made, "seed": "00"})
    assert not code["check"]({**made, "ballots": made["ballots"][1:]})
