"""Lots: fair, bound to a seed and to the ballots, and drawn again by anybody."""

import hashlib
from collections import Counter

from domain.tally import Election, commitment, count, from_rankings

OPTIONS = ("ada", "ben", "cat")
TIED = {("ada",): 4, ("ben",): 4, ("cat",): 4}


def counted(rankings, seed, options=OPTIONS):
    election = Election(method="single-choice", options=options)
    return count(election, from_rankings("single-choice", rankings), seed)


def test_a_lot_is_drawn_again_with_nothing_but_sha256():
    seed = bytes.fromhex("5eed" * 16)
    result = counted(TIED, seed)

    lines = [b'["ada",4,4]', b'["ben",4,4]', b'["cat",4,4]']
    ballots = hashlib.sha256(b"\n".join(lines))
    assert result["ballots"]["sha256"] == ballots.hexdigest()
    key = hashlib.sha256(seed + ballots.digest()).digest()
    assert result["lots"] == {
        "seed": seed.hex(),
        "commitment": hashlib.sha256(seed).hexdigest(),
        "key": key.hex(),
    }
    tickets = {
        option: hashlib.sha256(key + option.encode()).hexdigest() for option in OPTIONS
    }
    (tie,) = result["ties"]
    assert tie["tickets"] == tickets
    assert result["elected"] == [min(OPTIONS, key=tickets.get)]


def test_each_of_the_tied_wins_as_often_over_many_seeds():
    won = Counter(
        counted(TIED, seed.to_bytes(16))["elected"][0] for seed in range(1, 3_001)
    )

    # Three standard deviations around a third of 3,000.
    assert all(abs(won[option] - 1_000) < 78 for option in OPTIONS)


def test_whoever_votes_last_cannot_know_the_lot_without_the_seed():
    """Other ballots, other tickets: a blank one more is enough."""
    seed = b"secret until the close"
    tickets = [
        counted({**TIED, (): blank}, seed)["ties"][0]["tickets"]["ada"]
        for blank in range(1, 20)
    ]

    assert len(set(tickets)) == len(tickets)


def test_the_order_of_options_plays_no_part():
    seed = b"any"

    assert counted(TIED, seed) == counted(TIED, seed, OPTIONS[::-1])


def test_without_a_seed_a_result_says_so():
    assert counted(TIED, b"")["lots"]["seed"] is None
    assert counted(TIED, b"")["lots"]["commitment"] is None


def test_a_commitment_is_the_sha256_of_the_seed():
    assert commitment(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223")
