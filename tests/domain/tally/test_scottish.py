"""Scottish STV, rule by rule of the Order of 2007."""

from fractions import Fraction
from pathlib import Path

import pytest

from domain.tally import Election, Lots, blt, count, from_rankings
from tests.domain.tally.elections import fractions_of

MARYFIELD = Path(__file__).with_name("maryfield.blt")
# The official sheet, candidates in the order of the ballot paper; the last figure is
# what is not transferable, in which the sheet has the decimals that were ignored.
MARYFIELD_STAGES = [
    ("953", "198", "34", "214", "1037", "371", "960", "446", "0"),
    ("957", "202", "0", "218", "1037", "376", "962", "453", "8"),
    ("1017", "0", "0", "226", "1042", "414", "974", "493", "47"),
    ("1062", "0", "0", "0", "1093", "430", "1005", "517", "106"),
    ("1062", "0", "0", "0", "1054", "430.5352", "1038.43216", "519.28352", "108.74912"),
    (
        "1054",
        "0",
        "0",
        "0",
        "1054",
        "432.18427",
        "1039.55413",
        "521.15096",
        "112.11064",
    ),
    ("1054", "0", "0", "0", "1054", "0", "1058.95252", "597.57623", "448.47125"),
]


def counted(rankings, *, options, seats, seed=b""):
    """Count rankings written as words of one-letter options."""
    rankings = {tuple(order): votes for order, votes in rankings.items()}
    election = Election(method="scottish-stv", options=tuple(options), seats=seats)
    return count(election, from_rankings("scottish-stv", rankings), seed)


def actions(result):
    return [(stage["action"], stage["option"]) for stage in result["stages"]]


def test_a_published_ward_is_counted_to_the_last_decimal():
    """Dundee, Maryfield, 2022; both files are on the page named in the BLT."""
    file = blt.read(MARYFIELD.read_text())
    election = Election(method="scottish-stv", options=file.options, seats=file.seats)

    result = count(election, from_rankings("scottish-stv", file.rankings))

    assert (result["ballots"]["votes"], result["quota"]) == (4213, 1054)
    aside = ("non_transferable", "lost_to_rounding")
    assert [
        (
            *(Fraction(stage["votes"][option]) for option in file.options),
            sum(Fraction(stage[name]) for name in aside),
        )
        for stage in result["stages"]
    ] == [tuple(map(Fraction, figures)) for figures in MARYFIELD_STAGES]
    assert actions(result)[1:] == [
        ("exclusion", "Ewan GURR"),
        ("exclusion", "Rebecca DEWAR"),
        ("exclusion", "Sundas KAMRAN"),
        ("surplus", "Ken LYNN"),
        ("surplus", "Georgia CRUICKSHANK"),
        ("exclusion", "Danielle MARR"),
    ]
    assert result["elected"] == ["Ken LYNN", "Georgia CRUICKSHANK", "Lynne SHORT"]
    assert result["ties"] == []


def test_a_small_election_worked_by_hand():
    """Eleven papers for two seats.

    Quota: 11 / 3 = 3.66…, so 3 + 1 = 4 (rule 46). Stage 1: a 6, b 2, c 2, d 1; a is
    elected, surplus 2. Stage 2: a's six papers go on at 2 x 1 / 6 = 0.33333 each (rule
    48): four to b (1.33332), one to c, one nowhere; 6 x 0.33333 = 1.99998, so 0.00002
    are ignored. Stage 3: d, with 1, is excluded (rule 50), the paper goes to c at 1.
    b 3.33332 and c 3.33333, one vacancy: b has fewer, is excluded as stage 4, and
    c is elected (rule 52) with what b's papers still bring: two of 1 to c.
    """
    rankings = {"ab": 4, "ac": 1, "a": 1, "bc": 2, "c": 2, "dc": 1}
    result = counted(rankings, options="abcd", seats=2)

    assert result["quota"] == 4
    assert [list(fractions_of(one["votes"]).values()) for one in result["stages"]] == [
        [6, 2, 2, 1],
        [4, Fraction("3.33332"), Fraction("2.33333"), 1],
        [4, Fraction("3.33332"), Fraction("3.33333"), 0],
        [4, 0, Fraction("5.33333"), 0],
    ]
    last = result["stages"][-1]
    assert last["lost_to_rounding"] == "0.00002"
    assert last["non_transferable"] == "1.66665"
    assert result["elected"] == ["a", "c"]


def test_papers_pass_over_whoever_is_elected():
    """Rule 48(1): the next available preference is for somebody who continues."""
    rankings = {"abc": 9, "b": 5, "c": 1, "d": 2, "e": 1}
    result = counted(rankings, options="abcde", seats=3)

    assert result["stages"][0]["elected"] == ["a", "b"]
    assert result["stages"][1]["received"] == {"c": "3.99996"}


def test_the_largest_surplus_goes_first_though_it_came_later():
    """Rule 49(1): c has 1 too many from the first, b then gets 8 too many from a."""
    rankings = {"abd": 20, "b": 8, "cd": 11, "d": 1, "e": 7}
    result = counted(rankings, options="abcde", seats=4)

    assert result["quota"] == 10
    assert [option for _, option in actions(result)][1:3] == ["a", "b"]


def test_a_surplus_goes_on_with_papers_at_the_value_they_came_with():
    """Rule 48(3), (4): b's paper from a is worth 0.5, so b's surplus takes of that."""
    rankings = {"abc": 12, "b": 5, "c": 1, "d": 5}
    result = counted(rankings, options="abcd", seats=3)

    assert result["quota"] == 6
    assert result["stages"][1]["votes"]["b"] == "11.00000"
    # Twelve papers of 0.5 and five of 1, at 5 / 11: 0.22727 and, ended, 0.45454.
    assert result["stages"][2]["received"] == {"c": "2.72724"}
    assert result["stages"][2]["non_transferable"] == "2.27270"


def test_nothing_is_transferred_once_all_seats_are_filled():
    rankings = {"ab": 9, "bc": 8, "c": 1}
    result = counted(rankings, options="abc", seats=2)

    assert actions(result) == [("first preferences", None)]
    assert result["elected"] == ["a", "b"]


def test_the_last_vacancies_need_no_quota():
    rankings = {"a": 5, "b": 3, "c": 1}
    result = counted(rankings, options="abc", seats=2)

    assert result["quota"] == 4
    assert result["elected"] == ["a", "b"]
    assert "as many continue" in result["stages"][-1]["explanation"]


@pytest.mark.parametrize("seats", [3, 4, 100])
def test_with_a_seat_for_everybody_the_order_is_that_of_votes(seats):
    result = counted({"b": 5, "a": 3, "ca": 1}, options="abc", seats=seats)

    assert result["elected"] == ["b", "a", "c"]
    assert len(result["stages"]) == 1


def test_ballots_without_a_preference_are_no_part_of_the_quota():
    result = counted({"": 90, "a": 6, "b": 5}, options="ab", seats=1)

    assert result["quota"] == 6
    assert result["ballots"] | {"sha256": ""} == {
        "people": 101,
        "blank": 90,
        "votes": 11,
        "sha256": "",
    }
    assert result["elected"] == ["a"]


def test_nobody_is_elected_without_votes():
    result = counted({"": 90}, options="ab", seats=1)

    assert result["elected"] == []
    assert result["failed_for"] == "no votes"


def test_votes_may_all_run_out():
    result = counted({"a": 4, "b": 4, "c": 3, "d": 3}, options="abcd", seats=2)

    assert result["quota"] == 5
    assert sorted(result["elected"]) == ["a", "b"]
    assert result["stages"][-1]["non_transferable"] == "6.00000"


def test_a_tie_for_exclusion_goes_by_the_most_recent_stage_of_difference():
    """Rule 51(2)(a). Level at last, c had 4 to 3 at first and then 4 to 5.

    By the earliest stage d would go; the rule has the most recent, so c does.
    """
    rankings = {"a": 9, "b": 9, "c": 4, "d": 3, "ed": 2, "fc": 1, "f": 2}
    result = counted(rankings, options="abcdef", seats=1)
    tie = result["ties"][0]

    assert [option for _, option in actions(result)][1:4] == ["e", "f", "c"]
    assert (tie["purpose"], tie["tied"], tie["chosen"]) == (
        "exclusion",
        ["c", "d"],
        "c",
    )
    assert tie["rule"] == "most recent stage at which they differ"
    assert tie["decided_at_stages"] == [2]


def test_a_tie_that_no_stage_tells_apart_is_broken_by_lot():
    """Rule 51(2)(b): of a and b, equal from the first, the higher ticket is out."""
    for seed in (b"one", b"two", b"three", b"four"):
        result = counted(
            {"a": 2, "b": 2, "c": 5, "d": 4}, options="abcd", seats=1, seed=seed
        )
        tie = result["ties"][0]
        ticket = Lots(seed, result["ballots"]["sha256"]).ticket

        assert (tie["rule"], tie["tied"]) == ("lot", ["a", "b"])
        assert tie["tickets"] == {"a": ticket("a"), "b": ticket("b")}
        assert tie["chosen"] == max("ab", key=ticket)
        assert result["stages"][1]["option"] == tie["chosen"]


def test_equal_surpluses_go_in_the_order_in_which_the_lot_elected():
    """Rule 49(3), and one lot for both questions."""
    rankings = {"ac": 8, "bc": 8, "d": 1, "c": 2, "e": 1}
    orders = set()
    for seed in map(bytes, [[1], [2], [3], [4], [5], [6]]):
        result = counted(rankings, options="abcde", seats=3, seed=seed)
        surpluses = [
            option for action, option in actions(result) if action == "surplus"
        ]
        assert surpluses[:1] == result["elected"][:1]
        orders.add(tuple(result["elected"][:2]))

    assert orders == {("a", "b"), ("b", "a")}


def test_equal_surpluses_of_different_stages_go_by_the_most_recent_difference():
    """Rule 49(2). b has 12 from the first; c has them when a's surplus is gone."""
    rankings = {"ac": 16, "b": 12, "c": 6, "d": 6, "e": 6}
    result = counted(rankings, options="abcde", seats=4)
    tie = result["ties"][0]

    assert result["quota"] == 10
    assert [option for _, option in actions(result)][1:4] == ["a", "b", "c"]
    assert (tie["purpose"], tie["tied"], tie["chosen"]) == ("surplus", ["b", "c"], "b")
    assert tie["decided_at_stages"] == [1]
