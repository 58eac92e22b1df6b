"""Elections to count: small ones with many ties, drawn by hypothesis."""

from collections import Counter
from fractions import Fraction

from hypothesis import strategies as st

from domain.tally import Ballots, Bound, Election, Eligible, Group, Requirement

NAMES = ["ada", "ben", "cat", "dan", "eva", "fay"]
RANKED = ["irv", "scottish-stv", "meek-stv"]
SUMMED = ["single-choice", "approval", "score", "quadratic"]
# Alphabet order reversed, among others, so that no method can lean on it.
RENAMED = dict(zip(NAMES, ["zoe", "yan", "xia", "wim", "vic", "uma"], strict=True))

options_lists = st.integers(1, len(NAMES)).map(lambda count: tuple(NAMES[:count]))


def partial_rankings(options):
    return st.permutations(options).flatmap(
        lambda order: st.integers(0, len(order)).map(lambda end: list(order[:end]))
    )


def values(method, options):
    """Return a strategy of what a person may cast."""
    numbers = st.dictionaries(st.sampled_from(options), st.integers(0, 5))
    return {
        "single-choice": st.none() | st.sampled_from(options),
        "approval": st.lists(st.sampled_from(options), unique=True),
        "score": numbers,
        "quadratic": numbers.filter(
            lambda votes: sum(number**2 for number in votes.values()) <= 50
        ),
        **dict.fromkeys(RANKED, partial_rankings(options)),
    }[method]


@st.composite
def ranked(draw, methods=RANKED):
    """Draw an election and how many cast each ranking, some with none at all."""
    options = draw(options_lists)
    method = draw(st.sampled_from(methods))
    seats = 1 if method == "irv" else draw(st.integers(1, len(options) + 1))
    rankings = draw(
        st.dictionaries(
            partial_rankings(options).map(tuple), st.integers(1, 9), max_size=12
        )
    )
    return Election(method=method, options=options, seats=seats), rankings


@st.composite
def anything(draw, *, with_quorum=False):
    """Draw an election of any method, and what each person cast, with its weight."""
    method = draw(st.sampled_from(["yes-no", "consent", *SUMMED, *RANKED]))
    eligible = draw(st.integers(12, 20) if with_quorum else st.none() | st.just(15))
    people = eligible and Eligible(eligible, eligible * 3)
    shares = st.fractions(0, 1, max_denominator=6)
    quorum = draw(shares if with_quorum else st.none() | shares) if people else None
    if method in {"yes-no", "consent"}:
        words = ["yes", "no", "abstain"]
        requirements = ()
        if method == "consent":
            words = ["consent", "abstain", {"objection": "too dear"}]
        else:
            requirements = draw(st.lists(wishes(people), max_size=3).map(tuple))
        cast = st.sampled_from(words)
        fixed = {"requirements": requirements}
    else:
        options = draw(options_lists)
        seats = 1 if method == "irv" else draw(st.integers(1, 4))
        cast = values(method, options)
        fixed = {"options": options, "seats": seats, "budget": 50}
    election = Election(method=method, eligible=people, quorum=quorum, **fixed)
    weights = st.integers(0, 3)
    return election, draw(st.lists(st.tuples(cast, weights), max_size=12))


def wishes(people):
    wholes = ["cast", "eligible"] if people else ["cast"]
    return st.builds(
        Requirement.read,
        st.fixed_dictionaries(
            {
                "option": st.sampled_from(["yes", "no", "abstain"]),
                "bound": st.sampled_from([str(bound) for bound in Bound]),
                "share": st.fractions(0, 1, max_denominator=6).map(str),
                "of": st.sampled_from(wholes),
            }
        ),
    )


def as_ballots(rankings):
    return Ballots(Group(ranking, votes, votes) for ranking, votes in rankings.items())


def with_a_choice(rankings):
    return Counter({ranking: votes for ranking, votes in rankings.items() if ranking})


def fractions_of(votes):
    return {option: Fraction(figure) for option, figure in votes.items()}
