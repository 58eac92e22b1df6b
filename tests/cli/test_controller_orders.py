"""`coin controller set`, `hold` and `release`: orders, with who gave them and why."""

import getpass
import socket
from datetime import UTC, datetime, timedelta

import pytest

from domain import scaling
from domain.scaling import ControllerAction

MINUTE = timedelta(minutes=1)


@pytest.fixture
def deciding(sessions):
    """Let a controller have decided just now, in a mode."""

    def deciding(mode="active"):
        now = datetime.now(UTC)
        rows = [
            ControllerAction(
                at=now,
                until=now,
                worker_group=group,
                mode=mode,
                policy="age-1",
                target="local",
                needs={},
                clamps=[],
                reason="so",
                inputs={},
                result="so",
                ms=1.0,
                controller="north:4242",
            )
            for group in ("ledger", "outbound")
        ]
        with sessions.begin() as session:
            scaling.record(session, rows)

    return deciding


def standing(sessions):
    with sessions() as session:
        return scaling.orders(session, now=datetime.now(UTC))


def test_a_size_is_ordered_for_a_while(controller, sessions, deciding):
    deciding()
    asked = ("ledger=4", "--for", "30m", "--reason", "a market  day")
    said = controller("set", *asked)

    assert said.exit_code == 0
    order = standing(sessions)["ledger"]
    assert (order.size, order.until - order.at) == (4, 30 * MINUTE)
    assert order.given_by == f"{getpass.getuser()}@{socket.gethostname()}"
    assert order.reason == "a market day"
    assert said.stdout == (
        f"ledger: 4 workers until {order.until:%Y-%m-%d %H:%M:%S} UTC\n"
    )
    assert said.stderr == ""


def test_without_a_time_an_order_stands_until_it_is_released(
    controller, sessions, deciding
):
    deciding()
    said = controller("set", "ledger=4", "outbound=2")

    found = standing(sessions)
    assert {name: order.size for name, order in found.items()} == {
        "ledger": 4,
        "outbound": 2,
    }
    assert all(order.until is None for order in found.values())
    assert "ledger: 4 workers until released\n" in said.stdout
    assert controller("release", "ledger").stdout == (
        "ledger: the policy decides again\n"
    )
    assert standing(sessions).keys() == {"outbound"}


def test_a_later_order_counts(controller, sessions, deciding):
    deciding()
    for size in (4, 2):
        controller("set", f"ledger={size}")
    controller("hold", "ledger")

    assert standing(sessions)["ledger"].size is None


def test_all_groups_are_held_and_released_unless_named(controller, sessions, deciding):
    deciding()
    held = controller("hold", "--for", "2h")

    assert held.stdout.count("nothing changes until ") == 2
    assert {order.size for order in standing(sessions).values()} == {None}
    controller("release")
    assert standing(sessions) == {}
    assert controller("release").stdout.splitlines() == [
        "ledger: had no order",
        "outbound: had no order",
    ]


def test_who_orders_more_than_the_bounds_is_told_and_gets_it(
    controller, sessions, deciding
):
    deciding()
    said = controller("set", "ledger=9", "outbound=3", CONTROLLER_BOUNDS="ledger=1-6")

    assert said.stderr == (
        "warning: ledger=9 is outside its bounds, 1 to 6, and counts\n"
    )
    assert standing(sessions)["ledger"].size == 9


@pytest.mark.parametrize(
    ("command", "mode", "warning"),
    [
        (["set", "ledger=2"], None, "no controller has decided yet; nobody obeys"),
        (["hold"], None, "no controller has decided yet; nobody obeys"),
        (["set", "ledger=2"], "dry_run", "ledger is in mode dry_run: nobody is told"),
        (["set", "ledger=2"], "observing", "ledger is in mode observing: nobody"),
    ],
)
def test_an_order_that_nobody_will_obey_says_so(
    controller, deciding, command, mode, warning
):
    if mode:
        deciding(mode)
    said = controller(*command)

    assert said.exit_code == 0
    assert warning in said.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["set"], "Missing argument"),
        (["set", "ledger"], "'ledger' is not such as ledger=4"),
        (["set", "ledger=-1"], "is not such as ledger=4"),
        (["set", "ledger=0"], "a size is between 1 and 100"),
        (["set", "ledger=101"], "a size is between 1 and 100"),
        (["set", "leger=2"], "there is no group 'leger'; there are: ledger, outbound"),
        (["set", "ledger=2", "ledger=3"], "ledger is given two sizes"),
        (["set", "ledger=2", "--for", "soon"], "'soon' is not such as 90s, 30m"),
        (["set", "ledger=2", "--for", "31d"], "31d is more than 30 days"),
        (["set", "ledger=2", "--for", "0s"], "'0s' is not such as"),
        (["set", "ledger=2", "--reason", "why " * 60], "more than 200 characters"),
        (["hold", "leger"], "'ledger', 'outbound'"),
        (["release", "leger"], "'ledger', 'outbound'"),
    ],
)
def test_a_mistake_is_explained_and_orders_nothing(
    controller, sessions, arguments, complaint
):
    said = controller(*arguments)

    assert said.exit_code != 0
    assert complaint in said.output
    assert "Traceback" not in said.output
    assert standing(sessions) == {}
