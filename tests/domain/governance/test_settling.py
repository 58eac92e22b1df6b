"""When a vote is settled: exactly when no way to go on changes what comes out."""

from collections import Counter
from fractions import Fraction
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.governance.settling import is_settled
from domain.tally import Bound, Election, Eligible, Requirement, Whole, count, gather
from domain.tally.yes_no import ABSTAIN, NO, YES

WORDS = (YES, NO, ABSTAIN)
REQUIREMENTS = st.builds(
    Requirement,
    st.just(YES),
    st.sampled_from([Bound.AT_LEAST, Bound.MORE_THAN]),
    st.sampled_from([Fraction(1, 2), Fraction(2, 3), Fraction(1, 4), Fraction(1)]),
    st.sampled_from(Whole),
)
ELECTIONS = st.builds(
    lambda people, quorum, requirements: Election(
        method="yes-no",
        eligible=Eligible(people, people),
        quorum=quorum,
        requirements=tuple(requirements),
    ),
    st.integers(1, 7),
    st.none() | st.sampled_from([Fraction(1, 2), Fraction(1, 3), Fraction(1)]),
    st.lists(REQUIREMENTS, max_size=2),
)


def outcomes(election, cast):
    """Return what may come out, by counting every way in which the rest may vote."""
    left = election.eligible.people - len(cast)
    found = set()
    for more in product((*WORDS, None), repeat=left):
        all_cast = [*cast, *(word for word in more if word)]
        ballots = gather(election, [(word, 1) for word in all_cast])
        found.add(count(election, ballots)["outcome"])
    return found


@settings(max_examples=60)
@given(ELECTIONS, st.lists(st.sampled_from(WORDS), max_size=7))
def test_a_vote_is_settled_when_only_one_outcome_is_left(election, cast):
    cast = cast[: election.eligible.people]
    # To know of each count whether it may still come out takes 4^left counts.
    if election.eligible.people - len(cast) > 4:
        return
    votes = Counter({word: cast.count(word) for word in WORDS})

    settled = is_settled(election, votes, people=len(cast))

    # Before a single vote the rule does not look ahead.
    if votes[YES] + votes[NO] or len(cast) == election.eligible.people:
        assert settled == (len(outcomes(election, cast)) == 1)


WEIGHTED = Election(method="yes-no", eligible=Eligible(3, 10))


def test_weight_settles_and_not_heads():
    assert is_settled(WEIGHTED, Counter({YES: 6, NO: 0, ABSTAIN: 0}), people=1)
    assert not is_settled(WEIGHTED, Counter({YES: 5, NO: 0, ABSTAIN: 0}), people=1)


def test_a_tie_that_cannot_be_broken_fails_for_certain():
    assert is_settled(WEIGHTED, Counter({YES: 0, NO: 5, ABSTAIN: 0}), people=1)
