"""A whole turn on a real database: what is told, what is recorded, who may."""

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from structlog.testing import capture_logs

from controller import cycle, policy
from controller.targets import Unavailable
from domain import workload
from domain.workers import LEDGER, OUTBOUND
from domain.workload import DatabaseLoad
from tests.controller.steered import GROUP, Crew, Full, classic_rules, steered
from tests.databases import administer
from tests.waiting import eventually


def test_a_rested_group_is_left_as_it_is_and_said_to_be(own_database):
    with steered(own_database) as one:
        decided = one.turn()

        assert (decided.current, decided.desired, decided.ordered) == (1, 1, None)
        assert decided.mode == "active"
        assert [row.result for row in one.records()] == ["nothing to do"]
        assert one.target.told == []


def test_a_backlog_is_met_at_once_and_the_row_says_why(own_database):
    with steered(own_database) as one:
        one.arrive(40, seconds_ago=4)
        decided = one.turn()

        assert one.target.told == [decided.ordered] == [one.target.size]
        assert one.target.size > 5
        [row] = one.records()
        assert (row.current, row.desired) == (1, one.target.size)
        assert row.sentence.startswith(
            f"outbound 1 → {one.target.size}: oldest job 9.0 s"
        )
        assert row.inputs["ready"] == 40
        assert row.inputs["oldest_seconds"] == 9
        assert max(row.needs, key=row.needs.get) == "backlog"
        # What its ceilings were made of.
        assert 0 < row.inputs["connections"] < row.inputs["connections_max"]
        assert row.inputs["memory_available"] > 0
        assert row.policy == policy.VERSION
        assert row.target == "memory"
        assert row.ms > 0


def test_what_came_and_what_it_took_is_measured_between_two_turns(own_database):
    with steered(own_database) as one:
        one.turn()
        one.now += timedelta(seconds=2)
        one.arrive(10)
        one.serve(seconds=0.3)
        one.turn(seconds=3)
        one.turn()

        rates = [row.inputs["rate"] for row in one.records()]
        assert rates == [0, 2, 0]  # ten in five seconds, a second later
        assert one.records()[-1].inputs["service_seconds"] == 0.3 / 4


def database_with(monkeypatch, *, free):
    """Have the server say that it has so many connections left."""
    load = DatabaseLoad(connections=97 - free, connections_max=97, commit_ms=1.0)
    monkeypatch.setattr(workload, "database", lambda _session, commit_ms: load)


def test_connections_that_are_left_bound_a_whole_cycle(own_database, monkeypatch):
    database_with(monkeypatch, free=5 + 2 * OUTBOUND.connections)
    with steered(own_database, host=Full()) as one:
        one.arrive(40, seconds_ago=4)
        decided = one.turn()

        assert decided.ordered == one.target.size == 1 + 2
        assert decided.clamps == ["connections allows 3"]
        assert decided.inputs["connections"] == 97 - 5 - 2 * OUTBOUND.connections


def test_two_groups_that_grow_at_once_share_what_is_left(own_database, monkeypatch):
    database_with(monkeypatch, free=5 + 2 * OUTBOUND.connections + LEDGER.connections)
    groups = ((OUTBOUND, GROUP), (LEDGER, replace(GROUP, name="ledger")))
    with steered(own_database, host=Full(), groups=groups, lanes=30) as one:
        one.target.deaf = True  # of each group there stays one
        one.arrive(100, seconds_ago=4)
        one.arrive(100, seconds_ago=4, queue="ledger")
        one.turn()

        assert one.target.told == [3, 2]
        assert [row.clamps[0] for row in one.records()] == [
            "connections allows 3",
            "connections allows 2",
        ]


def test_a_group_comes_down_again_when_all_is_done(own_database):
    with steered(own_database) as one:
        one.arrive(40, seconds_ago=4)
        one.turn()
        one.serve()
        highest = one.target.size
        while one.target.size > 1 and one.now.minute < 20:
            one.turn()

        assert one.target.size == 1
        assert highest > 5
        downs = [row for row in one.records() if row.ordered and row.ordered < highest]
        assert downs[0].at - one.records()[0].at >= timedelta(seconds=15)


def test_a_dry_run_records_what_it_would_do_and_does_nothing(own_database):
    with steered(own_database, active=False) as one:
        one.arrive(40, seconds_ago=4)
        decided = one.turn()

        assert one.target.told == []
        assert decided.mode == "dry_run"
        assert decided.ordered is None
        assert decided.result == f"would be told {decided.desired}"


def test_an_operator_wins_until_the_time_is_over(own_database):
    with steered(own_database) as one:
        one.arrive(40, seconds_ago=4)
        one.order(3, seconds=7, reason="migration")
        first, second, third = one.turn(), one.turn(), None
        third = one.turn()

        assert (first.mode, first.desired, first.order_id) == ("ordered", 3, 1)
        assert first.reason.startswith("order 1: 3 until 12:00; the policy wants")
        assert second.mode == "active"  # the order was over by then
        assert one.target.told[0] == 3
        assert one.target.told[1] > 3
        assert third.mode == "active"


def test_an_operator_may_go_beyond_what_the_policy_may(own_database):
    with steered(own_database) as one:
        one.order(50)

        assert one.turn().ordered == 50
        assert one.target.size == 50


def test_a_hold_holds_until_it_is_released(own_database):
    with steered(own_database) as one:
        one.arrive(40, seconds_ago=4)
        one.order(None)
        held = [one.turn() for _ in range(3)]

        assert {row.mode for row in held} == {"held"}
        assert one.target.told == []
        one.release()
        assert one.turn().ordered > 1


def test_a_group_that_another_owns_is_only_watched(own_database):
    with steered(own_database) as one:
        one.target.owned_by = "HorizontalPodAutoscaler web"
        one.arrive(40, seconds_ago=4)
        decided = one.turn()

        assert decided.mode == "observing"
        assert decided.desired > decided.current
        assert decided.result == "not told, HorizontalPodAutoscaler web decides"
        assert one.target.told == []


def test_a_target_that_is_away_holds_and_says_so(own_database):
    with steered(own_database) as one:
        one.target.unwell = Unavailable(
            "forbidden: allow it to patch deployments/scale"
        )
        one.arrive(40, seconds_ago=4)
        decided = one.turn()

        assert decided.current is decided.desired is decided.ordered is None
        assert decided.reason.startswith("held, forbidden: allow it")
        assert one.records()[0].inputs["ready"] == 40

        one.target.unwell = None
        assert one.turn().ordered > 1


def test_a_target_that_cannot_be_told_is_no_move(own_database):
    class Refusing(Crew):
        def apply(self, group, size, observed):
            self.told.append(size)
            raise Unavailable("conflict: somebody else scales it")

    with steered(own_database, Refusing()) as one:
        one.arrive(40, seconds_ago=4)
        turns = [one.turn() for _ in range(12)]

        assert {row.ordered for row in turns} == {None}
        assert turns[0].result.startswith("could not be told")
        # Asked again, and ever more seldom.
        assert 2 <= len(one.target.told) <= 5


class Slow(Crew):
    """One worker a step, each of which takes two cycles; never more than `most`."""

    most = 3
    under_way = False
    notes = ()

    def observe(self, group):
        notes, self.notes = self.notes, ()
        return replace(super().observe(group), notes=notes)

    def apply(self, group, size, observed):
        self.told.append(size)
        if self.under_way:
            self.under_way = False
            return observed.size
        if self.size == self.most:
            self.notes = ("there is no room",)
            return None
        self.size += 1
        self.under_way = True
        return self.size


def test_what_is_on_its_way_is_not_told_again_and_again(own_database):
    with steered(own_database, Slow()) as one:
        one.order(3)
        turns = [one.turn() for _ in range(4)]

    assert [row.ordered for row in turns] == [2, None, 3, None]
    assert [row.result for row in turns] == [
        "told 2",
        "on the way to 3",
        "told 3",
        "nothing to do",
    ]


def test_a_target_that_can_do_nothing_is_asked_ever_more_seldom_and_is_quiet(
    own_database,
):
    with steered(own_database, Slow(size=3)) as one:
        one.order(9)
        turns = [one.turn() for _ in range(120)]
        freed = one.roll_up(later=timedelta(days=1))

        # At first soon, in the end once a minute.
        assert 10 <= len(one.target.told) <= 15
        assert {row.ordered for row in turns} == {None}
        assert turns[0].result == "nobody can be told so now"
        # It says why only when asked; it is recorded with each.
        assert {row.result.count("there is no room") for row in turns[1:]} == {1}
        assert freed == 119

        one.target.most = 9
        told = len(one.target.told)
        one.target.size = 4  # somebody else made it so
        assert one.turn().ordered == 5
        assert len(one.target.told) == told + 1


def test_a_target_that_does_not_do_as_it_is_told_is_found_out(own_database):
    with steered(own_database) as one:
        one.target.deaf = True
        one.order(4)
        turns = [one.turn() for _ in range(8)]

        assert "it was told 4 and says 1" not in turns[1].result
        assert "it was told 4 and says 1" in turns[-1].result
        assert len(one.target.told) < 8


def test_a_target_that_lies_is_held_against_heartbeats(own_database):
    with steered(own_database, Crew(size=4)) as one:
        one.order(4)
        for _ in range(6):
            one.beat(2)
            last = one.turn()

        assert "it says 4, and 2 are heard of" in last.result


def test_workers_that_do_not_end_are_heard_of(own_database):
    with steered(own_database, Crew(size=4)) as one:
        one.beat(4)
        one.turn()
        one.order(2)
        for _ in range(6):
            one.beat(4)
            last = one.turn()

        assert one.target.size == 2
        assert "it says 2, and 4 are heard of" in last.result


def test_without_a_database_nothing_moves_and_it_is_recorded_later(
    own_database, servers
):
    with steered(own_database) as one:
        one.turn()
        refuse(servers, own_database)
        away = [one.turn() for _ in range(2)]
        assert {row.reason for row in away} == {"held, the database does not answer"}
        assert one.target.told == []

        admit(servers, own_database)
        one.turn()
        reasons = [row.reason for row in one.records()]

        assert reasons[1:3] == ["held, the database does not answer"] * 2
        assert len(reasons) == 4


def refuse(servers, url):
    """Let nobody into a database, and end who is in it."""
    name = sa.make_url(url).database
    administer(
        servers["database"],
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",  # noqa: E501, S608
    )


def admit(servers, url):
    name = sa.make_url(url).database
    administer(servers["database"], f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_what_becomes_too_much_to_keep_is_said(own_database, servers, monkeypatch):
    monkeypatch.setattr(cycle, "_UNWRITTEN_MAX", 3)
    with steered(own_database) as one, capture_logs() as logs:
        one.turn()
        refuse(servers, own_database)
        for _ in range(5):
            one.turn()
        admit(servers, own_database)
        one.turn()
        rows = one.records()

    # The newest three of the six that could not be written at once.
    assert len(rows) == 1 + 3
    said = [line for line in logs if "given_up" in line["event"]]
    assert [line["event"] for line in said] == [
        "records_given_up",
        "records_were_given_up",
    ]
    assert said[-1]["count"] == 3


def sentences(logs, level="info"):
    return [
        line["sentence"]
        for line in logs
        if line["event"] == "decided" and line["log_level"] == level
    ]


def test_the_log_carries_the_sentence_of_what_was_told(own_database):
    with steered(own_database) as one, capture_logs() as logs:
        one.arrive(40, seconds_ago=4)
        decided = one.turn()

    assert sentences(logs) == [decided.sentence]


def test_what_stays_as_it_was_is_said_once(own_database):
    with steered(own_database) as one, capture_logs() as logs:
        first = one.turn()
        for _ in range(3):
            one.turn()

    assert sentences(logs) == [first.sentence]
    assert len(sentences(logs, "debug")) == 3


def test_a_recommendation_is_said_when_it_is_another(own_database):
    with steered(own_database, active=False) as one, capture_logs() as logs:
        one.turn()
        one.arrive(40, seconds_ago=4)
        for _ in range(3):
            would = one.turn()

    said = sentences(logs)
    assert len(said) < 4
    assert f"would be told {would.desired}" in said[-1]


def test_a_hold_is_said_when_it_begins_and_when_it_ends(own_database):
    with steered(own_database) as one, capture_logs() as logs:
        one.turn()
        one.order(None)
        for _ in range(3):
            one.turn()
        one.release()
        one.turn()

    assert [": order 1: to hold" in said for said in sentences(logs)] == [
        False,
        True,
        False,
    ]


def test_that_the_database_is_away_is_said_once_as_a_sentence(own_database, servers):
    with steered(own_database) as one:
        one.turn()
        refuse(servers, own_database)
        with capture_logs() as logs:
            for _ in range(3):
                one.turn()
        admit(servers, own_database)

    assert sentences(logs) == [
        "outbound: held, the database does not answer; told nothing"
    ]
    assert [line["event"] for line in logs].count("database_away") == 1


def test_what_is_nearly_used_up_is_said_once_under_any_policy(own_database):
    with steered(own_database, host=Full()) as one, capture_logs() as logs:
        for _ in range(3):
            one.turn()

    said = [line["sentence"] for line in logs if line["event"] == "alarm"]
    assert said == ["disk 97 % is above 90 %"]


def test_how_long_a_commit_took_is_measured_by_the_cycle_before(own_database):
    with steered(own_database) as one:
        one.turn()
        unmeasured = one.cycle.sensed.sample.database.commit_ms
        one.turn()

        assert unmeasured is None
        assert 0 < one.cycle.sensed.sample.database.commit_ms < 5_000


def test_a_clock_that_jumps_holds_for_a_turn(own_database):
    with steered(own_database) as one:
        one.turn()
        one.arrive(40, seconds_ago=4)
        for jump in (3600.0, -7200.0):
            held = one.turn(jump=jump)
            assert held.reason == f"held, the clock jumped by {jump:.0f} s"
            assert one.target.told == []

        assert one.turn().current == 1


def test_of_two_controllers_one_acts(own_database):
    crew = Crew()
    with steered(own_database, crew) as one, steered(own_database, crew) as other:
        one.arrive(40, seconds_ago=4)
        assert one.turn().ordered > 1
        assert other.turn() is None
        assert (one.cycle.leads, other.cycle.leads) == (True, False)

        other.now = one.now
        one.end()
        # The server lets go of the lock when it has seen the connection end.
        decided = eventually(other.turn)
        assert decided.current == crew.size
        assert other.cycle.leads


def test_who_takes_over_knows_what_was_done(own_database):
    """Cooldowns outlive the controller: ten minutes pass between two steps."""
    crew = Crew()
    with steered(own_database, crew, **classic_rules()) as one:
        one.arrive(200, seconds_ago=4)
        assert one.turn().ordered == 2
    with steered(own_database, crew, **classic_rules()) as other:
        other.now = one.now
        held = other.turn()

        assert held.desired == 2
        assert held.clamps == ["no second action within ten minutes"]


def test_a_restart_changes_no_decision(own_database, new_database):
    """One controller for twelve turns, and another that is begun anew before each."""

    def play(url, *, restarting):
        crew, now, sizes = Crew(), None, []
        one = None
        with steered(url, crew) as loader:
            for number in range(12):
                if one is None or restarting:
                    if one is not None:
                        one.end()
                    one = type(loader)(url, crew)
                one.now = loader.now if now is None else now
                one.arrive((0, 3, 30, 0)[number % 4], seconds_ago=1)
                if number % 3 == 2:
                    one.serve(seconds=0.2)
                decided = one.turn()
                now = one.now
                sizes.append((decided.current, decided.desired, decided.reason))
            one.end()
        return sizes

    with new_database() as second:
        through = play(own_database, restarting=False)

        assert play(second, restarting=True) == through
    assert len({size for _, size, _ in through}) > 2
