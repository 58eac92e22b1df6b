"""Thirty real elections: as other programs count them, and as they were published.

`real_wards.json` was made outside, by programs that share nothing with ours; how is
told in docs/tally.md.
"""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from domain.tally import Election, Lots, blt, count, from_rankings
from tests.domain.tally import by_hand
from tests.domain.tally.elections import fractions_of

EXPECTED = json.loads(Path(__file__).with_name("real_wards.json").read_text())
BY_HAND_MAX = 1_500

# As published, in whole votes that were rounded now up, now down:
# en.wikipedia.org/wiki/Leith_Walk_(ward).
LEITH_WALK = {
    "James Dalgleish": [2058, 2184, 2186, 2186, 2196, 2224],
    "Jack Caldwell": [
        *(1317, 1400, 1402, 1413, 1433, 1446, 1456, 1469, 1506, 1563, 1995, 2513)
    ],
    "Rob Munn": [*(1132, 1405, 1447, 1449, 1459, 1485, 1488, 1534, 1580, 1633, 1648)],
    "Bonus Fombo": [763, 766, 766, 770, 796, 797, 799, 811, 819, 833],
}
# To a tenth: en.wikipedia.org/wiki/Bo'ness_and_Blackness_(ward).
BONESS = {"Adrian Mahoney": ["852", "900.1", "1010.8", "1780.8"]}


def counted(ward, method):
    seats = 1 if method == "irv" else ward.seats
    election = Election(method=method, options=ward.options, seats=seats)
    return count(election, from_rankings(method, ward.rankings))


@pytest.mark.parametrize("method", ["scottish-stv", "meek-stv", "irv"])
def test_other_programs_elect_the_same_in_the_same_order(real_wards, method):
    found = {
        name: counted(ward, method)["elected"] for name, ward in real_wards.items()
    }
    wanted = {name: EXPECTED[name][method] for name in real_wards.keys() & EXPECTED}

    assert wanted
    assert {name: found[name] for name in wanted} == wanted


def test_none_of_them_needed_a_lot_or_an_earlier_stage(real_wards):
    assert [
        name
        for name, ward in real_wards.items()
        if counted(ward, "scottish-stv")["ties"]
    ] == []


def test_people_with_papers_count_the_same_at_every_stage(real_wards):
    for ward in real_wards.values():
        if sum(ward.rankings.values()) > BY_HAND_MAX:
            continue
        for method, by in (
            ("scottish-stv", by_hand.scottish),
            ("meek-stv", by_hand.meek),
        ):
            result = counted(ward, method)
            ticket = Lots(b"", result["ballots"]["sha256"]).ticket
            elected, stages = by(ward.options, ward.seats, ward.rankings, ticket)

            assert result["elected"] == elected
            assert [
                fractions_of(stage["votes"]) for stage in result["stages"]
            ] == stages


def votes_of(result, option):
    return [Fraction(stage["votes"][option]) for stage in result["stages"]]


def test_leith_walk_2022_is_counted_as_it_was_published(real_wards):
    result = counted(real_wards["edinburgh_2022_ward12"], "scottish-stv")

    assert result["quota"] == 2200
    for option, published in LEITH_WALK.items():
        found = votes_of(result, option)
        pairs = zip(published, found, strict=False)
        assert all(abs(whole - votes) < 1 for whole, votes in pairs)


def test_boness_2012_is_counted_as_it_was_published(real_wards):
    result = counted(real_wards["falkirk_2012_ward1"], "scottish-stv")

    for option, published in BONESS.items():
        found = [round(votes, 1) for votes in votes_of(result, option)]
        assert found == [Fraction(figure) for figure in published]


def test_a_ward_is_the_same_when_exported_as_blt(real_wards):
    for ward in real_wards.values():
        assert blt.read(blt.write(ward)) == ward
