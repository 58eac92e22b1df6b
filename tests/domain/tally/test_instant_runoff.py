"""Instant run-off, with rankings that need not name everybody."""

import pytest

from domain.tally import BadElection, Election, Lots, count, from_rankings


def counted(rankings, options="abcd", seed=b""):
    """Count rankings written as words of one-letter options."""
    rankings = {tuple(order): votes for order, votes in rankings.items()}
    election = Election(method="irv", options=tuple(options))
    return count(election, from_rankings("irv", rankings), seed)


def test_the_last_is_excluded_until_one_has_more_than_half():
    result = counted({"a": 8, "bc": 6, "cb": 5, "da": 2})

    assert [stage["option"] for stage in result["stages"]] == [None, "d", "c"]
    assert [list(stage["votes"].values()) for stage in result["stages"]] == [
        [8, 6, 5, 2],
        [10, 6, 5, 0],
        [10, 11, 0, 0],
    ]
    assert result["elected"] == ["b"]


def test_half_is_half_of_the_votes_that_still_count():
    result = counted({"a": 5, "b": 4, "c": 3}, options="abc")

    assert result["stages"][-1]["non_transferable"] == 3
    assert result["elected"] == ["a"]


def test_exactly_half_is_not_enough():
    result = counted({"a": 6, "b": 4, "cb": 2}, options="abc")

    assert len(result["stages"]) > 1


def test_who_has_more_than_half_at_once_is_elected_at_once():
    result = counted({"a": 7, "b": 4, "cb": 2}, options="abc")

    assert len(result["stages"]) == 1


def test_a_tie_is_broken_by_the_earliest_stage_of_difference():
    """Level at last, c had 4 to 3 at first and then 4 to 5."""
    rankings = {"a": 9, "b": 9, "c": 4, "d": 3, "ed": 2, "fc": 1, "f": 2}
    result = counted(rankings, options="abcdef")
    tie = result["ties"][0]

    assert (tie["tied"], tie["chosen"]) == (["c", "d"], "d")
    assert tie["decided_at_stages"] == [1]


def test_two_who_were_always_equal_are_parted_by_lot():
    winners = set()
    for seed in map(bytes, [[1], [2], [3], [4], [5], [6]]):
        result = counted({"a": 3, "b": 3}, options="ab", seed=seed)
        ticket = Lots(seed, result["ballots"]["sha256"]).ticket
        assert result["elected"] == [min("ab", key=ticket)]
        winners |= set(result["elected"])

    assert winners == {"a", "b"}


def test_it_elects_one():
    election = Election(method="irv", options=("a", "b"), seats=2)

    with pytest.raises(BadElection, match="elects one"):
        count(election, from_rankings("irv", {("a",): 1}))
