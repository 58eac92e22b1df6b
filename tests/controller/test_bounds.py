"""How few and how many workers a group may have."""

import pytest

from controller.bounds import Bounds, bounds
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
