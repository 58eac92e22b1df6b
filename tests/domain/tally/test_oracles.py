"""Elections counted by pref-voting and VoteKit too: the extra `oracles`.

Both draw lots of their own, and the first looks at other stages in Scottish STV alone:
elections can be compared that needed no lot there, and had no tie elsewhere.
"""

import random
from collections import Counter

import pytest

from domain.tally import Election, count, from_rankings, gather

pytest.importorskip("pref_voting", reason="needs the extra `oracles`")
pytest.importorskip("votekit", reason="needs the extra `oracles`")

from pref_voting.grade_methods import approval, score_voting
from pref_voting.grade_profiles import GradeProfile
from pref_voting.iterative_methods import instant_runoff_for_truncated_linear_orders
from pref_voting.profiles import Profile
from pref_voting.profiles_with_ties import ProfileWithTies
from pref_voting.proportional_methods import stv_meek, stv_scottish
from pref_voting.scoring_methods import plurality
from votekit import RankBallot, RankProfile
from votekit.elections import STV

ELECTIONS = 30


def some_rankings(seed):
    """Return rankings that lean on one order and its opposite, cut short at random."""
    draw = random.Random(seed)
    candidates = list(range(draw.randint(3, 9)))
    found = Counter()
    for _ in range(draw.choice([60, 200])):
        sign = draw.choice([-1, 1])
        order = sorted(candidates, key=lambda one: sign * one + draw.gauss(0, 3))
        found[tuple(order[: draw.randint(1, len(order))])] += 1
    return candidates, found


def theirs(candidates, rankings):
    orders = [
        {candidate: place for place, candidate in enumerate(order, 1)}
        for order in rankings
    ]
    return ProfileWithTies(orders, list(rankings.values()), candidates=candidates)


def ours(method, candidates, rankings, seats=1):
    """Return who is elected, and whether a tie or a lot was part of it."""
    named = {tuple(map(str, order)): votes for order, votes in rankings.items()}
    election = Election(method=method, options=tuple(map(str, candidates)), seats=seats)
    result = count(election, from_rankings(method, named))
    ties = [tie for tie in result["ties"] if tie["purpose"] != "order of election"]
    lots = any(tie["rule"] == "lot" for tie in ties)
    return sorted(map(int, result["elected"])), bool(ties), lots


@pytest.mark.parametrize(
    ("method", "oracle"), [("scottish-stv", stv_scottish), ("meek-stv", stv_meek)]
)
def test_stv_elects_the_same(method, oracle):
    compared = 0
    for seed in range(ELECTIONS):
        candidates, rankings = some_rankings(seed)
        seats = 1 + seed % (len(candidates) - 1)
        elected, ties, lots = ours(method, candidates, rankings, seats)
        if not (lots if method == "scottish-stv" else ties):
            compared += 1
            profile = theirs(candidates, rankings)
            assert elected == sorted(oracle(profile, num_seats=seats)), seed

    assert compared > ELECTIONS / 3


def test_an_instant_runoff_elects_the_same():
    compared = 0
    for seed in range(ELECTIONS):
        candidates, rankings = some_rankings(seed)
        elected, ties, _ = ours("irv", candidates, rankings)
        if not ties:
            compared += 1
            profile = theirs(candidates, rankings)
            assert elected == instant_runoff_for_truncated_linear_orders(profile), seed

    assert compared > ELECTIONS / 3


def test_the_most_first_preferences_are_the_same():
    for seed in range(ELECTIONS):
        candidates, rankings = some_rankings(seed)
        whole = Counter()
        for order, votes in rankings.items():
            rest = [one for one in candidates if one not in order]
            whole[(*order, *rest)] += votes
        winners = plurality(Profile([list(one) for one in whole], list(whole.values())))
        elected, ties, _ = ours("single-choice", candidates, rankings)

        assert set(elected) <= set(winners)
        assert ties == (len(winners) > 1)


@pytest.mark.parametrize(
    ("method", "oracle", "most"),
    [("approval", approval, 1), ("score", score_voting, 5)],
)
def test_approvals_and_scores_add_up_to_the_same(method, oracle, most):
    for seed in range(ELECTIONS):
        draw = random.Random(seed)
        options = [f"option {number}" for number in range(draw.randint(2, 8))]
        cast = [
            {one: draw.randint(0, most) for one in options} for _ in range(seed + 1)
        ]
        approved = [[one for one in options if ballot[one]] for ballot in cast]
        election = Election(method=method, options=tuple(options))
        values = cast if method == "score" else approved
        result = count(election, gather(election, [(value, 1) for value in values]))
        winners = oracle(GradeProfile(cast, list(range(most + 1)), candidates=options))

        assert set(result["elected"]) <= set(winners)
        assert bool(result["ties"]) == (len(winners) > 1 and bool(result["elected"]))


def test_real_wards_elect_the_same(real_wards):
    """None of them needed a lot; see `test_real_wards.py`."""
    method = "scottish-stv"
    for name, ward in real_wards.items():
        number = {option: place for place, option in enumerate(ward.options)}
        rankings = {
            tuple(number[one] for one in order): votes
            for order, votes in ward.rankings.items()
            if order
        }
        profile = theirs(list(number.values()), rankings)
        election = Election(method=method, options=ward.options, seats=ward.seats)
        elected = count(election, from_rankings(method, ward.rankings))["elected"]
        theirs_elected = set(stv_scottish(profile, num_seats=ward.seats))

        assert {number[one] for one in elected} == theirs_elected, name


def test_real_wards_elect_in_the_same_order(real_wards):
    """VoteKit's surpluses are fractions that nobody rounds, of all elected at once."""
    method = "scottish-stv"
    for name, ward in real_wards.items():
        ballots = tuple(
            RankBallot(ranking=tuple(frozenset({one}) for one in order), weight=votes)
            for order, votes in ward.rankings.items()
            if order
        )
        profile = RankProfile(ballots=ballots, candidates=ward.options)
        groups = STV(profile, n_seats=ward.seats).get_elected()
        election = Election(method=method, options=ward.options, seats=ward.seats)
        elected = count(election, from_rankings(method, ward.rankings))["elected"]

        assert elected == [one for group in groups for one in group], name
