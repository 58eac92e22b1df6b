"""Who is next by the same ballots."""

from hypothesis import given
from hypothesis import strategies as st

from domain.councils.capping import seat
from domain.councils.countback import next_in
from tests.domain.councils.test_capping import NAMES, affiliations, contest, papers


@given(papers, affiliations, st.none() | st.integers(1, 2), st.integers(1, 4))
def test_seats_are_filled_while_anybody_is_left_who_may(cast, given_, cap, seats):
    """Whoever leaves, again and again: who follows is new and within the cap."""
    asked = contest(cast, seats=seats, affiliations=given_, cap=cap)
    kept = list(seat(asked, free=seats).elected)
    out = set()
    while kept:
        out.add(kept.pop(0))
        found = next_in(
            asked, kept=kept, sitting=[given_.get(one) for one in kept], out=out
        )
        if found is None:
            break
        assert found in NAMES
        assert found not in {*kept, *out}
        others = [given_.get(one) for one in kept]
        assert asked.last_over_cap([found], others) is None
        kept.append(found)
    else:
        assert out >= set(seat(asked, free=seats).elected)


@given(papers, st.integers(1, 4))
def test_without_a_cap_only_a_lack_of_people_leaves_a_seat_empty(cast, seats):
    asked = contest(cast, seats=seats)
    first = seat(asked, free=seats).elected
    if not first:
        return
    found = next_in(asked, kept=first[1:], sitting=[], out=first[:1])
    others = asked.elect(first[:1])

    assert (found is None) == (set(others) <= set(first[1:]))


def test_the_leavers_votes_go_to_whom_their_voters_put_next():
    cast = ["ad"] * 6 + ["b"] * 6 + ["c"] * 4 + ["d"]
    asked = contest(cast, seats=2, options=tuple("abcd"))

    assert set(seat(asked, free=2).elected) == {"a", "b"}
    assert next_in(asked, kept=["b"], sitting=[], out=["a"]) == "d"
    assert next_in(asked, kept=["b"], sitting=[], out=["a", "d"]) == "c"
    assert next_in(asked, kept=["b"], sitting=[], out=["a", "c", "d"]) is None


def test_who_would_exceed_the_cap_is_passed_over():
    cast = ["ad"] * 6 + ["b"] * 6 + ["c"] * 4 + ["d"]
    red = dict.fromkeys("bd", "red")
    asked = contest(cast, seats=2, options=tuple("abcd"), affiliations=red, cap=1)

    assert next_in(asked, kept=["b"], sitting=["red"], out=["a"]) == "c"
