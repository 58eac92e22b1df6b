"""How few and how many workers a group may have."""

import pytest

from controller.bounds import BadBounds, Bounds, bounds
from domain.settings import Settings
from domain.workers import GROUPS


def test_without_a_setting_each_group_has_its_own():
    assert bounds("") == {
        name: Bounds(group.least, group.most) for name, group in GROUPS.items()
    }


@pytest.mark.parametrize("text", ["ledger=2-12", " ledger=2-12 "])
def test_a_setting_counts_for_the_groups_it_names(text):
    found = bounds(text)

    assert found["ledger"] == Bounds(2, 12)
    assert found["outbound"] == bounds("")["outbound"]


def test_what_the_settings_accept_is_understood():
    given = {
        "CONTROLLER_BOUNDS": "ledger=1-4, outbound=2-2",
        "DATABASE_URL": "postgres://x",
    }
    accepted = Settings.from_environ(given).controller_bounds

    assert bounds(accepted) == {"ledger": Bounds(1, 4), "outbound": Bounds(2, 2)}


def test_more_than_the_target_takes_is_refused_before_it_is_told():
    """Or the group would stay where it is, told 130 and refused in every cycle."""
    with pytest.raises(BadBounds, match="takes up to 100 of ledger, not 130"):
        bounds("ledger=1-130", size_max=100)

    assert bounds("ledger=1-130")["ledger"].most == 130
