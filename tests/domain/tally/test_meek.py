"""Meek STV by the reference rule, and against a published count."""

from fractions import Fraction
from pathlib import Path

import pytest

from domain.tally import Election, blt, count, from_rankings

ERS97 = Path(__file__).with_name("ers97.blt")
# Totals of Hill, Wichmann and Woodall's program for this election, rounded as they were
# published, at the ends of our rounds; candidates in order, then the quota.
ERS97_ROUNDS = {
    1: "134 81 27 24 105 91 64 59 55 23 90 107.57",
    2: "107.26 87.98 31.99 30.19 106.6 91 64 59.8 55 23.4 93.59 107.26",
    4: "106.96 88.47 32.34 30.62 106.96 91 64 64.85 69.21 0 94.27 106.96",
    5: "104.42 97.71 34.97 0 104.42 92.45 64.03 66 70.99 0 95.97 104.42",
    7: "101.58 101.58 0 0 101.58 97.07 67.24 68.92 73.27 0 99.81 101.58",
}


def counted(rankings, *, options, seats, seed=b""):
    """Count rankings written as words of one-letter options."""
    rankings = {tuple(order): votes for order, votes in rankings.items()}
    election = Election(method="meek-stv", options=tuple(options), seats=seats)
    return count(election, from_rankings("meek-stv", rankings), seed)


def test_a_published_count_is_met_round_by_round():
    file = blt.read(ERS97.read_text())
    election = Election(method="meek-stv", options=file.options, seats=file.seats)

    result = count(election, from_rankings("meek-stv", file.rankings))

    for number, figures in ERS97_ROUNDS.items():
        stage = result["stages"][number - 1]
        found = [*(stage["votes"][option] for option in file.options), stage["quota"]]
        assert [round(Fraction(one), 2) for one in found] == [
            Fraction(figure) for figure in figures.split()
        ]
    elected = {"Smith", "Carpenter", "Duke", "Prince", "Vicar", "Freeman"}
    assert set(result["elected"]) == elected


def test_one_elected_keeps_a_part_and_the_quota_falls_with_votes_that_run_out():
    """By hand. Quota 12 / 3 and a billionth more, so a, with 8, is elected.

    a keeps 4.000000001 / 8, rounded up 0.500000001, of each vote: of the 8, four pass
    0.499999999 each to b, as much of the others goes nowhere. 10.000000004 are left
    with candidates, so the quota falls to 3.333333334 and a billionth: b has it.
    """
    result = counted({"ab": 4, "a": 4, "b": 3, "c": 1}, options="abc", seats=2)
    first, second = result["stages"]

    assert (first["quota"], first["elected"]) == ("4.000000001", ["a"])
    assert second["keep_factors"] == {
        "a": "0.500000001",
        "b": "1.000000000",
        "c": "1.000000000",
    }
    assert second["votes"] == {
        "a": "4.000000008",
        "b": "4.999999996",
        "c": "1.000000000",
    }
    assert second["non_transferable"] == "1.999999996"
    assert (second["quota"], second["elected"]) == ("3.333333335", ["b"])


def test_a_surplus_goes_on_to_those_who_were_elected_before():
    """Unlike papers in Scottish STV: b is elected already, and gets of a's surplus."""
    result = counted({"ab": 60, "bc": 35, "c": 5, "d": 20}, options="abcd", seats=3)

    kept = result["stages"][-1]["keep_factors"]
    assert Fraction(kept["a"]) < 1
    assert Fraction(kept["b"]) < 1
    assert result["elected"][:2] == ["a", "b"]


@pytest.mark.parametrize("seats", [3, 4, 100])
def test_with_a_seat_for_everybody_the_order_is_that_of_votes(seats):
    result = counted({"b": 5, "a": 3, "ca": 1}, options="abc", seats=seats)

    assert result["elected"] == ["b", "a", "c"]
    assert len(result["stages"]) == 1


def test_nobody_is_elected_without_votes():
    result = counted({"": 90}, options="ab", seats=1)

    assert (result["elected"], result["failed_for"]) == ([], "no votes")


def test_a_tie_is_broken_by_the_earliest_round_of_difference():
    rankings = {"a": 9, "b": 9, "c": 4, "d": 3, "ed": 2, "fc": 1, "f": 2}
    result = counted(rankings, options="abcdef", seats=1)
    tie = result["ties"][0]

    assert (tie["tied"], tie["chosen"]) == (["c", "d"], "d")
    assert tie["rule"] == "earliest stage at which they differ"
    assert tie["decided_at_stages"] == [1]


def test_whom_the_surplus_could_still_lift_from_the_last_place_is_tied_with_the_last():
    """a ends below d's 4 votes by less than the surplus that is left to go on."""
    result = counted({"bad": 2, "b": 6, "a": 3, "db": 4}, options="abcd", seats=2)
    tie = next(tie for tie in result["ties"] if tie["tied"] == ["a", "d"])
    stage = result["stages"][tie["stage"] - 1]

    gap = Fraction(stage["votes"]["d"]) - Fraction(stage["votes"]["a"])
    assert 0 < gap < Fraction(stage["surplus"]) < Fraction(1, 10**6)
    assert (tie["decided_at_stages"], tie["chosen"]) == ([1], "a")
