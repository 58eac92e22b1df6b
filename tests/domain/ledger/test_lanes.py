"""In which lane an owner's writes wait: stored with them, so it must not change."""

from hypothesis import given
from hypothesis import strategies as st

from domain.ledger import is_system, lane_of

owners = st.text(st.characters(exclude_categories=["Cs"]))


@given(owners, st.integers(1, 64))
def test_an_owner_has_one_of_the_lanes(owner, lanes):
    assert lane_of("commons", owner, lanes) in range(lanes)


def test_an_owner_keeps_the_lane_it_was_first_given():
    lanes = {owner: lane_of("commons", owner, 64) for owner in ("ada", "Zoë", "名前")}

    assert lanes == {"ada": 26, "Zoë": 57, "名前": 25}


def test_owners_spread_over_the_lanes():
    lanes = [lane_of("commons", f"member-{n}", 8) for n in range(8_000)]

    assert all(800 < lanes.count(lane) < 1_200 for lane in range(8))


def test_system_accounts_are_known_by_their_name():
    assert [is_system(name) for name in ("@issuance", "@x", "ada", "a@b")] == [
        True,
        True,
        False,
        False,
    ]
