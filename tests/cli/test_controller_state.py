"""`coin controller status`, `explain` and `history` on what was decided."""

import json
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from click.testing import CliRunner

from cli import main
from domain import scaling, workers, workload
from domain.scaling import ControllerAction
from domain.workers import Presence
from domain.workload import HostLoad, QueueLoad, Sample
from tests.databases import ROOT

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
REASON = "oldest job 4.1 s > target 2 s; 118 jobs/s of 17 ms = 2.0 workers"


@pytest.fixture
def decide(sessions):
    """Store a decision as a controller would have; return its number."""

    def decide(*, ago=SECOND, lasted=timedelta(0), order=None, **fields):
        at = datetime.now(UTC) - ago
        row = {
            "worker_group": "ledger",
            "mode": "active",
            "policy": "age-1",
            "target": "local",
            "current": 2,
            "desired": 4,
            "ordered": 4,
            "need": 3.6,
            "needs": {"arrivals": 2.0, "backlog": 3.6, "trend": 1.0},
            "clamps": ["memory allows 9"],
            "reason": REASON,
            "inputs": {"queues": {"ledger": {"ready": 190}}, "rate": 118.25},
            "result": "told 4",
            "ms": 12.4,
            "controller": "north:4242",
            "order_id": order,
            **fields,
        }
        with sessions.begin() as session:
            action = ControllerAction(at=at, until=at + lasted, **row)
            scaling.record(session, [action])
            return action.id

    return decide


@pytest.fixture
def measure(sessions):
    """Store what a controller measured."""

    def measure(*, ago=SECOND, memory=50.0, **queues):
        host = HostLoad(
            cpu=20.0,
            cores=2,
            load=0.5,
            memory=memory,
            memory_available=10**9,
            swap=0.0,
            disk=40.0,
        )
        sample = Sample(
            at=datetime.now(UTC) - ago, seconds=5.0, queues=queues, host=host
        )
        with sessions.begin() as session:
            workload.store(session, sample)

    return measure


@pytest.fixture
def beat(sessions):
    """Let a worker be alive."""

    def beat(group, *, busy):
        now = datetime.now(UTC)
        presence = Presence(uuid4(), "w", group, "north", 7, 1, busy, now)
        with sessions.begin() as session:
            workers.beat(session, presence, [], now=now)

    return beat


@pytest.fixture
def order(sessions):
    def order(group, size, *, until=None, reason="a market day"):
        now = datetime.now(UTC)
        given = {"until": until and now + until, "given_by": "ada@north"}
        with sessions.begin() as session:
            return scaling.order(
                session, group, size, **given, reason=reason, now=now
            ).id

    return order


def rows_of(said):
    """Return the words of each group's row."""
    lines = [line.split() for line in said.stdout.splitlines()]
    return {
        words[0]: words[1:]
        for words in lines
        if words[:1] in (["ledger"], ["outbound"])
    }


# Status


def test_each_group_is_a_row_of_figures(controller, decide, measure, beat):
    decide()
    decide(worker_group="outbound", current=1, desired=1, ordered=None)
    measure(
        ledger=QueueLoad(ready=190, oldest=4.14),
        maintenance=QueueLoad(ready=1, oldest=0.5),
        mail=QueueLoad(ready=3, oldest=0.25),
    )
    beat("ledger", busy=1)
    beat("ledger", busy=0)

    said = controller("status")
    rows = rows_of(said)

    assert said.exit_code == 0
    assert " ".join(rows["ledger"]) == "active 2 → 4 2 1 191 4.1 s 2 s"
    assert " ".join(rows["outbound"]) == "active 1 0 0 3 0.2 s 10 s"
    assert f"ledger 2 → 4: {REASON}; memory allows 9; told 4" in said.stdout
    assert "north:4242 decided 1 s ago" in said.stdout


def test_the_columns_of_the_groups_stand_under_their_names(controller, decide):
    decide()
    lines = controller("status").stdout.splitlines()
    head = next(line for line in lines if line.startswith("group"))
    row = next(line for line in lines if line.startswith("ledger "))

    assert row.index("active") == head.index("mode")
    assert row.index("2 → 4") == head.index("size")
    assert len(row) == len(head)


def test_it_says_for_how_long_nobody_has_decided(controller, decide):
    decide(ago=43 * SECOND)

    said = controller("status")
    assert "no controller has decided for 43 s; the last was north:4242" in said.stdout


def test_a_controller_that_is_a_cycle_late_still_leads(controller, decide):
    decide(ago=11 * SECOND)

    assert "no controller" not in controller("status").stdout


def test_where_nothing_was_ever_decided_nothing_is_made_up(controller):
    said = controller("status")

    assert said.exit_code == 0
    assert "no controller has decided yet" in said.stdout
    assert " ".join(rows_of(said)["ledger"]) == "- ? 0 0 ? ? 2 s"
    assert "measured    never" in said.stdout
    assert "alarms      ?" in said.stdout


def test_what_was_measured_long_ago_is_not_shown_as_now(controller, decide, measure):
    decide()
    measure(ago=40 * SECOND, memory=95.0, ledger=QueueLoad(ready=7, oldest=1.0))

    said = controller("status")
    assert "measured    40 s ago" in said.stdout
    assert rows_of(said)["ledger"][-4:] == ["?", "?", "2", "s"]
    assert "alarms      ?" in said.stdout


def test_an_order_in_force_is_told_with_who_and_why(controller, decide, order):
    given = order("ledger", 3, until=30 * MINUTE)
    decide(mode="ordered", order=given)

    said = controller("status").stdout
    assert "3 workers until" in said
    assert "(for 30 min more)" in said
    assert f"order {given} of ada@north: a market day" in said


def test_a_host_that_is_full_is_an_alarm(controller, decide, measure):
    decide()
    measure(memory=93.0)

    assert "memory 93 % is above 90 %" in controller("status").stdout


def test_a_sentence_goes_over_lines_as_long_as_the_terminal(controller, decide):
    decide()
    lines = controller("status", COLUMNS="60").stdout.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("#"))

    assert max(map(len, lines[begin:])) <= 60
    assert f"{REASON}; memory allows 9; told 4" in " ".join(
        " ".join(lines[begin:]).split()
    )


def test_silence_and_lateness_are_red(operated_database, decide, measure):
    decide(ago=43 * SECOND)
    measure(ledger=QueueLoad(ready=190, oldest=4.14))
    environ = {"DATABASE_URL": operated_database}

    said = CliRunner().invoke(main, ["controller", "status"], env=environ, color=True)
    red = [line for line in said.stdout.splitlines() if "\x1b[31m" in line]
    assert len(red) == 2
    assert "no controller has decided for 43 s" in red[0]
    assert "ledger" in red[1]


def test_status_for_programs_has_the_same_figures(controller, decide, measure, order):
    number = decide(ago=43 * SECOND)
    measure(ledger=QueueLoad(ready=190, oldest=4.14))
    order("outbound", None)

    found = json.loads(controller("status", "--json").stdout)
    ledger, outbound = found["groups"]
    assert found["controller"] == "north:4242"
    assert found["silence"] == "no controller has decided for 43 s"
    assert found["alarms"] == []
    assert (ledger["waiting"], ledger["oldest_seconds"]) == (190, 4.14)
    assert ledger["decision"]["id"] == number
    assert ledger["decision"]["told"] == 4
    assert outbound["decision"] is None
    assert (outbound["order"]["size"], outbound["order"]["until"]) == (None, None)


# Explain


def test_a_decision_is_explained_with_all_that_was_weighed(controller, decide, order):
    given = order("ledger", 3)
    number = decide(mode="ordered", order=given)

    said = controller("explain", number).stdout
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[0] == f"ledger 2 → 4: {REASON}; memory allows 9; told 4"
    needs = lines.index("needs backlog 3.6 won")
    assert lines[needs + 1 : needs + 3] == ["arrivals 2.0", "trend 1.0"]
    for expected in (
        "by north:4242 in 12 ms",
        "mode ordered",
        "policy age-1",
        "target local",
        "size 2 → 4",
        "clamps memory allows 9",
        "told 4",
        "result told 4",
        f"order 3 workers until released, order {given} of ada@north: a market day",
        "inputs queues.ledger.ready = 190",
        "rate = 118.25",
    ):
        assert expected in lines


def test_needs_that_are_as_great_have_won_together(controller, decide):
    number = decide(needs={"arrivals": 3.0, "backlog": 1.5, "trend": 3.0})

    said = controller("explain", number).stdout.splitlines()
    won = [line.split()[-3] for line in said if line.endswith(" won")]
    assert sorted(won) == ["arrivals", "trend"]


def test_a_decision_to_do_nothing_is_explained_too(controller, decide):
    number = decide(
        desired=None,
        current=None,
        ordered=None,
        need=None,
        needs={},
        clamps=[],
        inputs={},
        reason="held, nothing was measured",
        result="nobody was told",
    )

    said = controller("explain", number)
    lines = [" ".join(line.split()) for line in said.stdout.splitlines()]
    assert said.exit_code == 0
    assert {"size ?", "needs none", "clamps none", "told nothing"} <= set(lines)


def test_an_explanation_for_programs_is_the_whole_row(controller, decide):
    number = decide()

    found = json.loads(controller("explain", number, "--json").stdout)
    assert found["inputs"] == {"queues": {"ledger": {"ready": 190}}, "rate": 118.25}
    assert found["needs"] == {"arrivals": 2.0, "backlog": 3.6, "trend": 1.0}
    assert found["order"] is None
    assert datetime.fromisoformat(found["at"]).tzinfo is not None


@pytest.mark.parametrize(
    ("number", "complaint"),
    [
        ("77", "there is no decision 77; `coin controller history` lists them"),
        ("0", "0 is not in the range"),
        (str(2**63), "is not in the range"),
        ("first", "'first' is not a valid integer"),
    ],
)
def test_what_is_no_decision_is_said_to_be_none(controller, number, complaint):
    said = controller("explain", number)

    assert said.exit_code != 0
    assert complaint in said.output
    assert "Traceback" not in said.output


# History


def test_history_has_a_line_for_each_decision_the_newest_last(controller, decide):
    numbers = [decide(ago=ago * MINUTE) for ago in (3, 2, 1)]

    lines = controller("history").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [f"#{number}" for number in numbers]
    assert all(f"ledger 2 → 4: {REASON}" in line for line in lines)


def test_history_is_of_one_group_of_moves_or_as_long_as_asked(controller, decide):
    move = decide(ago=4 * MINUTE)
    rest = decide(ago=3 * MINUTE, desired=2)
    other = decide(ago=2 * MINUTE, worker_group="outbound")

    def numbers(*options):
        lines = controller("history", *options).stdout.splitlines()
        return [int(line.split()[0].removeprefix("#")) for line in lines]

    assert numbers("--group", "ledger") == [move, rest]
    assert numbers("--moves") == [move, other]
    assert numbers("--limit", "2") == [rest, other]


def test_quiet_cycles_that_became_one_say_how_many_they_were(controller, decide):
    decide(ago=3 * 60 * MINUTE, lasted=15 * MINUTE, cycles=180, desired=2)

    (line,) = controller("history").stdout.splitlines()
    assert "(180 cycles, 15 min) ledger 2: oldest" in line


def test_history_is_cut_to_the_terminal_and_whole_in_a_pipe(controller, decide):
    decide()

    (cut,) = controller("history", COLUMNS="60").stdout.splitlines()
    (whole,) = controller("history", COLUMNS="0").stdout.splitlines()
    assert (len(cut), cut[-1]) == (60, "…")
    assert whole.endswith("told 4")


def test_without_a_decision_history_says_so(controller):
    assert controller("history").stdout == "nothing was decided yet\n"


def test_history_for_programs_is_a_list(controller, decide):
    number = decide()

    (found,) = json.loads(controller("history", "--json").stdout)
    assert (found["id"], found["group"]) == (number, "ledger")


def test_a_group_that_does_not_exist_is_told_those_that_do(controller):
    said = controller("history", "--group", "leger")

    assert said.exit_code != 0
    assert "'ledger', 'outbound'" in said.output


def test_the_page_about_it_names_commands_that_exist():
    page = (ROOT / "docs" / "controller.md").read_text()
    named = set(re.findall(r"^\$ coin controller ([a-z]+)", page, re.MULTILINE))

    assert named == {"status", "explain", "history", "set", "hold", "release"}
    assert named < set(main.commands["controller"].commands)
