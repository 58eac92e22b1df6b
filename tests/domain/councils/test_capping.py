"""The affiliation cap: never exceeded, and of no effect where it is not needed."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.councils.capping import Contest, seat
from domain.tally import Ballots, Election, Group, count

NAMES = tuple("abcdefgh")


def contest(papers, *, seats, affiliations=None, cap=None, options=NAMES):
    return Contest(
        election=Election(method="scottish-stv", options=options, seats=seats),
        ballots=Ballots(Group(tuple(paper), 1, 1) for paper in papers),
        seed=b"s" * 32,
        affiliations=affiliations or {},
        cap=cap,
    )


papers = st.lists(
    st.lists(st.sampled_from(NAMES), unique=True, max_size=8), min_size=1, max_size=30
)
affiliations = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([None, "red", "Blue ", " blue", "green"])
)
sitting = st.lists(st.sampled_from([None, "red", "blue"]), max_size=4)


def having(names, given_):
    """Return how many share each affiliation, however it is written."""
    plain = ((given_.get(one) or "").strip().lower() for one in names)
    return Counter(one for one in plain if one)


@given(papers, affiliations, st.integers(1, 3), st.integers(1, 5), sitting)
def test_the_cap_is_never_exceeded_by_who_is_seated(cast, given_, cap, seats, others):
    found = seat(
        contest(cast, seats=seats, affiliations=given_, cap=cap),
        free=seats,
        sitting=others,
    )

    before = Counter(one for one in others if one)
    new = having(found.elected, given_)
    assert all(before[name] + number <= cap for name, number in new.items())
    assert not set(found.elected) & set(found.withdrawn)


@given(papers, affiliations, st.integers(1, 5))
def test_a_cap_that_is_not_reached_changes_nothing(cast, given_, seats):
    free = contest(cast, seats=seats, affiliations=given_)
    plain = count(free.election, free.ballots, free.seed)["elected"]
    capped = contest(cast, seats=seats, affiliations=given_, cap=seats)

    assert seat(free, free=seats).elected == plain
    assert seat(capped, free=seats).elected == plain
    assert seat(capped, free=seats).withdrawn == []


@given(papers, affiliations, st.integers(1, 2), st.integers(1, 5), st.randoms())
def test_the_order_of_ballots_and_options_makes_no_difference(
    cast, given_, cap, seats, chance: random.Random
):
    turned, options = list(cast), list(NAMES)
    chance.shuffle(turned)
    chance.shuffle(options)
    asked = {"seats": seats, "affiliations": given_, "cap": cap}

    one = seat(contest(cast, **asked), free=seats)
    other = seat(contest(turned, **asked, options=tuple(options)), free=seats)

    assert one == other


@given(papers, affiliations, st.integers(1, 2), st.integers(1, 5))
def test_who_was_withdrawn_had_been_the_last_of_too_many(cast, given_, cap, seats):
    asked = contest(cast, seats=seats, affiliations=given_, cap=cap)
    found = seat(asked, free=seats)

    for said, name in zip(found.counts, found.withdrawn, strict=False):
        alike = having(said["elected"], given_)
        over = [
            one
            for one in said["elected"]
            if alike[(given_.get(one) or "").strip().lower()] > cap
        ]
        assert name == over[-1]
    assert len(found.counts) == len(found.withdrawn) + 1


def test_seats_go_to_the_next_when_too_many_are_of_one_affiliation():
    red = dict.fromkeys("abc", "red")
    cast = ["a"] * 9 + ["b"] * 8 + ["c"] * 7 + ["d"] * 5 + ["e"] * 2

    capped = seat(
        contest(cast, seats=3, affiliations=red, cap=2, options=tuple("abcde")), free=3
    )

    assert capped.elected == ["a", "b", "d"]
    assert capped.withdrawn == ["c"]
    assert capped.counts == [
        {"without": [], "elected": ["a", "b", "c"]},
        {"without": ["c"], "elected": ["a", "b", "d"]},
    ]


def test_votes_for_who_was_withdrawn_go_to_the_next_preference():
    red = dict.fromkeys("ab", "red")
    cast = ["a"] * 10 + ["bd"] * 8 + ["c"] * 5 + ["d"]

    capped = seat(
        contest(cast, seats=2, affiliations=red, cap=1, options=tuple("abcd")), free=2
    )

    assert capped.elected == ["a", "d"]


def test_who_sits_already_counts_and_stays():
    asked = contest(
        ["a"] * 3 + ["b"] * 2,
        seats=1,
        affiliations={"a": "Red"},
        cap=1,
        options=("a", "b"),
    )

    assert seat(asked, free=1, sitting=["red"]).elected == ["b"]
    assert seat(asked, free=1, sitting=["red", "red"]).elected == ["b"]


def test_a_seat_stays_empty_when_nobody_may_have_it():
    asked = contest(["a", "b"], seats=2, affiliations=dict.fromkeys("ab", "red"), cap=1)
    alone = Contest(
        election=Election(method="scottish-stv", options=("a", "b"), seats=2),
        ballots=asked.ballots,
        seed=asked.seed,
        affiliations=asked.affiliations,
        cap=1,
    )

    assert len(seat(alone, free=2).elected) == 1
    assert seat(alone, free=2, out=["a", "b"]).elected == []
