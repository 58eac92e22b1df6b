"""`coin tally count`: files in, a result for people or for programs out."""

import json
import re

import pytest

from domain.tally import METHODS, OF_RANKING, Election, blt, canonical, count
from domain.tally import from_rankings as ballots_of
from tests.databases import ROOT

MARYFIELD = ROOT / "tests" / "domain" / "tally" / "maryfield.blt"
WARD = """\
3,2,
4,1,2,
4,2,1,
3,3,
"Candidate 1","Ada Lovelace","Independent (Ind)",
"Candidate 2","Ben O'Neil, Jr","Green (Gr)",
"Candidate 3","Cat","Labour (Lab)",
""Ward 1 - Somewhere, and Elsewhere"",
"""


@pytest.fixture
def ward(tmp_path):
    path = tmp_path / "ward.csv"
    path.write_text(WARD)
    return path


def test_a_blt_file_is_counted_stage_by_stage(coin):
    said = coin("tally", "count", MARYFIELD, "--method", "scottish-stv")
    lines = said.stdout.splitlines()

    assert said.exit_code == 0
    assert lines[:2] == [
        "Ward 5 - Maryfield",
        "scottish-stv, 4,213 ballots, 0 blank; options 8, seats 3",
    ]
    assert lines[-1] == "elected  Ken LYNN, Georgia CRUICKSHANK, Lynne SHORT"
    assert len([line for line in lines if line.startswith("stage ")]) == 7
    (last,) = re.findall(r"Lynne SHORT +1058\.95252 +\+19\.39839 +elected", said.stdout)
    assert last
    assert said.stderr == ""


@pytest.mark.parametrize("method", OF_RANKING)
def test_its_json_is_the_result_document_to_the_byte(coin, method):
    file = blt.read(MARYFIELD.read_text())
    seats = 1 if method == "irv" else 3
    election = Election(method=method, options=file.options, seats=seats)
    seed = "00112233445566778899aabbccddeeff"
    asked = ("--method", method, "--seed", seed, "--json")

    said = coin("tally", "count", MARYFIELD, *asked)

    ballots = ballots_of(method, file.rankings)
    wanted = canonical(count(election, ballots, bytes.fromhex(seed)))
    assert said.stdout.encode() == wanted + b"\n"


def test_the_csv_of_a_ward_is_recognised(coin, ward):
    said = coin("tally", "count", ward, "--method", "scottish-stv", "--json")
    result = json.loads(said.stdout)

    assert set(result["elected"]) == {"Ada Lovelace", "Ben O'Neil, Jr"}
    assert result["election"]["seats"] == 2


def test_seats_may_be_other_than_the_file_says(coin, ward):
    asked = ("--method", "meek-stv", "--seats", 1, "--json")

    assert len(json.loads(coin("tally", "count", ward, *asked).stdout)["elected"]) == 1


def test_a_lot_is_told_and_one_without_a_seed_is_warned_of(coin, ward):
    asked = ("tally", "count", ward, "--method", "irv")
    without, with_seed = coin(*asked), coin(*asked, "--seed", "5eed" * 8)

    assert "tie at stage 2, exclusion: " in without.stdout
    assert ", by lot\n" in without.stdout
    assert "--seed" in without.stderr
    assert with_seed.stderr == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + WARD.encode(),
        WARD.replace("\n", "\r\n").encode(),
        WARD.replace("Cat", "M\N{LATIN SMALL LETTER A WITH GRAVE}iri").encode("cp1252"),
    ],
)
def test_files_from_other_systems_are_read(coin, tmp_path, raw):
    path = tmp_path / "ward.csv"
    path.write_bytes(raw)
    said = coin("tally", "count", path, "--method", "approval")

    assert said.exit_code == 0
    assert said.stdout.startswith("Ward 1 - Somewhere, and Elsewhere\n")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "Line 1: the file ends before its first line."),
        ("2 1\n3 1 9 0\n", "Line 2: a preference is a whole number from 1 to 2"),
        ("2,1,\n3,9,\n", "Line 2: a preference is a whole number from 1 to 2"),
    ],
)
def test_a_file_that_holds_no_ballots_is_refused_with_the_line(
    coin, tmp_path, text, fault
):
    path = tmp_path / "ballots"
    path.write_text(text)
    said = coin("tally", "count", path, "--method", "irv")

    assert said.exit_code == 1
    assert f"{path}: {fault}" in said.stderr


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (("--method", "irv", "--seats", 2), "elects one"),
        (("--method", "irv", "--seed", "xyz"), "two digits each"),
        (("--method", "irv", "--seed", "abc"), "two digits each"),
        (("--method", "irv", "--seats", 0), "0 is not in the range"),
        (("--method", "score"), "'score' is not one of"),
        ((), "Missing option '--method'"),
    ],
)
def test_what_cannot_be_asked_is_refused(coin, asked, fault):
    said = coin("tally", "count", MARYFIELD, *asked)

    assert said.exit_code in {1, 2}
    assert fault in said.stderr


def test_only_methods_that_take_rankings_are_offered():
    assert OF_RANKING.keys() < METHODS.keys()
