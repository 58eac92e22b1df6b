"""What holds for every election, whatever was cast."""

import json
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.tally import (
    Ballots,
    Election,
    Eligible,
    Lots,
    canonical,
    count,
    from_rankings,
    gather,
    regroup,
)
from tests.domain.tally import by_hand
from tests.domain.tally.elections import (
    RENAMED,
    SUMMED,
    anything,
    as_ballots,
    fractions_of,
    ranked,
    values,
    with_a_choice,
)


def with_options(election, options):
    return Election.read(election.describe() | {"options": list(options)})


@given(anything(), st.randoms(use_true_random=False), st.binary(max_size=4))
def test_any_order_of_ballots_and_options_gives_the_same_bytes(drawn, random, seed):
    election, cast = drawn
    result = canonical(count(election, gather(election, cast), seed))

    shuffled, options = list(cast), list(election.options)
    random.shuffle(shuffled)
    random.shuffle(options)
    again = with_options(election, options)

    assert canonical(count(again, gather(again, shuffled), seed)) == result


@given(anything(), st.binary(max_size=4))
def test_a_result_can_be_counted_again_from_what_it_was_written_as(drawn, seed):
    election, cast = drawn
    ballots = gather(election, cast)

    again = Election.read(json.loads(canonical(election.describe())))
    groups = json.loads(canonical(list(ballots)))

    assert count(again, regroup(again, groups), seed) == count(election, ballots, seed)


def renamed(value):
    if isinstance(value, dict):
        return {RENAMED.get(key, key): renamed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [renamed(one) for one in value]
    return RENAMED.get(value, value) if isinstance(value, str) else value


@given(anything())
def test_renaming_the_options_renames_the_result(drawn):
    """A lot depends on names, so the count is compared up to the first lot."""
    election, cast = drawn
    assume(election.options)
    other = with_options(election, map(RENAMED.get, election.options))
    result = count(election, gather(election, cast))
    mirror = count(
        other, gather(other, [(renamed(one), weight) for one, weight in cast])
    )

    lots = [tie["rule"] == "lot" for tie in result["ties"]]
    first = lots.index(True) if any(lots) else len(lots)
    if first < len(lots):
        one, two = result["ties"][first], mirror["ties"][first]
        assert sorted(renamed(one["tied"])) == two["tied"]
        last = one["stage"] - 1
    else:
        assert renamed(result["elected"]) == mirror["elected"]
        last = len(result["stages"])
    for one, two in zip(result["stages"][:last], mirror["stages"], strict=False):
        assert renamed(one["votes"]) == two["votes"]


@given(anything(with_quorum=True))
def test_no_winner_below_the_quorum_or_without_votes(drawn):
    election, cast = drawn
    result = count(election, gather(election, cast))

    if election.quorum is not None:
        took_part = len(cast) >= election.quorum * election.eligible.people
        assert result["quorum"]["met"] == took_part
        if not took_part:
            assert (result["outcome"], result["elected"]) == ("failed", [])
            assert result["failed_for"] == "quorum"
    if not sum(weight for _, weight in cast):
        assert (result["outcome"], result["elected"]) == ("failed", [])


@given(ranked(["scottish-stv", "meek-stv"]))
def test_stv_fills_its_seats_each_with_another(drawn):
    election, rankings = drawn
    elected = count(election, as_ballots(rankings))["elected"]

    seats = min(election.seats, len(election.options))
    assert len(elected) == (seats if with_a_choice(rankings) else 0)
    assert len(set(elected)) == len(elected)


@given(ranked())
def test_every_vote_is_somewhere_at_every_stage(drawn):
    election, rankings = drawn
    result = count(election, as_ballots(rankings))

    for stage in result["stages"]:
        asunder = ("non_transferable", "lost_to_rounding")
        aside = sum(Fraction(stage[name]) for name in asunder if name in stage)
        held = sum(fractions_of(stage["votes"]).values())
        assert held + aside == sum(with_a_choice(rankings).values())


@given(ranked())
def test_who_is_first_on_more_than_half_of_the_ballots_is_elected(drawn):
    election, rankings = drawn
    valid = with_a_choice(rankings)
    for option in election.options:
        first = sum(votes for order, votes in valid.items() if order[0] == option)
        if first * 2 > valid.total():
            elected = count(election, as_ballots(rankings))["elected"]
            assert elected[0] == option


@given(st.data())
def test_one_more_ballot_for_the_winner_does_no_harm(data):
    method = data.draw(st.sampled_from(SUMMED))
    options = ("ada", "ben", "cat")
    election = Election(method=method, options=options, budget=50)
    cast = data.draw(st.lists(values(method, options), min_size=1, max_size=8))
    winners = count(election, gather(election, [(one, 1) for one in cast]))["elected"]
    assume(winners)
    more = {
        "single-choice": winners[0],
        "approval": winners,
        "score": {winners[0]: 5},
        "quadratic": {winners[0]: 7},
    }[method]

    again = count(election, gather(election, [(one, 1) for one in [*cast, more]]))

    assert again["elected"] == winners


@given(st.lists(st.sampled_from(["yes", "no", "abstain"]), max_size=12))
def test_one_more_yes_does_no_harm(cast):
    election = Election(method="yes-no", eligible=Eligible(13, 13))
    votes = [(word, 1) for word in cast]
    before = count(election, gather(election, votes))["outcome"]
    after = count(election, gather(election, [*votes, ("yes", 1)]))["outcome"]

    assert (before, after) != ("passed", "failed")


@given(ranked(["scottish-stv"]))
def test_scottish_stv_is_what_people_count_from_papers(drawn):
    election, rankings = drawn
    ballots, valid = as_ballots(rankings), with_a_choice(rankings)
    assume(valid)
    result = count(election, ballots)
    ticket = Lots(b"", ballots.digest).ticket

    elected, stages = by_hand.scottish(election.options, election.seats, valid, ticket)

    assert result["elected"] == elected
    assert [fractions_of(stage["votes"]) for stage in result["stages"]] == stages


@given(ranked(["irv"]))
def test_an_instant_runoff_is_what_people_count_from_papers(drawn):
    election, rankings = drawn
    ballots, valid = as_ballots(rankings), with_a_choice(rankings)
    assume(valid)
    result = count(election, ballots)
    ticket = Lots(b"", ballots.digest).ticket

    winner, stages = by_hand.instant_runoff(election.options, valid, ticket)

    assert result["elected"] == [winner]
    assert [stage["votes"] for stage in result["stages"]] == stages


@given(ranked(["meek-stv"]))
def test_meek_stv_is_what_people_count_from_papers(drawn):
    election, rankings = drawn
    ballots, valid = as_ballots(rankings), with_a_choice(rankings)
    assume(valid)
    result = count(election, ballots)
    ticket = Lots(b"", ballots.digest).ticket

    elected, rounds = by_hand.meek(election.options, election.seats, valid, ticket)

    assert result["elected"] == elected
    assert [fractions_of(stage["votes"]) for stage in result["stages"]] == rounds


@settings(max_examples=30)
@given(st.lists(ranked(), min_size=2, max_size=2))
def test_ballots_gathered_in_parts_are_those_gathered_at_once(drawn):
    (_, one), (_, two) = drawn
    parts = [*as_ballots(one), *as_ballots(two)]

    assert Ballots(parts).digest == Ballots(reversed(parts)).digest
    assert Ballots(parts).people == sum(one.values()) + sum(two.values())


@settings(max_examples=30)
@given(ranked())
def test_a_ranking_counts_for_its_first_or_all_it_names(drawn):
    _, rankings = drawn
    first = from_rankings("single-choice", rankings)
    named = from_rankings("approval", rankings)

    assert first.people == named.people == sum(rankings.values())
    assert first.votes == named.votes == with_a_choice(rankings).total()
