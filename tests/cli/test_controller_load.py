"""`coin controller replay --last` and `export`: the hours that were stored."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from cli.controller_load import stored
from domain import workload
from domain.db import create_engine, session_factory
from domain.settings import Settings
from domain.workers import LEDGER
from domain.workload import Crew, KindLoad, QueueLoad, Sample
from tests.cli.test_controller import figures_of
from tests.factories import NOW

A_MINUTE = 12


def sample(at, rate=5):
    """Return five seconds of work at a rate a second, and some mail."""
    jobs = 5 * rate
    return Sample(
        at=at,
        seconds=5.0,
        queues={"ledger": QueueLoad(ready=rate, oldest=0.5)},
        kinds={
            "ledger.post": KindLoad(arrived=jobs, finished=jobs, seconds=0.1 * jobs),
            "mail.send": KindLoad(arrived=5, finished=5, seconds=4.0),
        },
        crews={"ledger": Crew(alive=2, busy=1)},
    )


def store(session, now, *, minutes):
    """Store twelve samples of each of these minutes ago: busy in the last five."""
    for ago in minutes:
        for part in range(A_MINUTE):
            at = now - timedelta(minutes=ago, seconds=5 * part)
            workload.store(session, sample(at, rate=60 if ago < 5 else 5))


@pytest.fixture(scope="module")
def measured_database(new_database):
    """A database in which two times ten minutes were stored, ten minutes apart."""
    with new_database() as url:
        engine = create_engine(Settings(database_url=url), role=False)
        with session_factory(engine).begin() as session:
            store(session, datetime.now(UTC), minutes=[*range(10), *range(20, 30)])
        engine.dispose()
        yield url


@pytest.fixture
def controller(coin, measured_database):
    """Run `coin controller …` where that was measured."""

    def run(*arguments, **environ):
        return coin("controller", *arguments, DATABASE_URL=measured_database, **environ)

    return run


def test_the_stored_hours_are_replayed(controller):
    said = controller("replay", "--last", "1h")
    figures, _ = figures_of(said)

    assert said.exit_code == 0, said.stderr
    assert figures.keys() == {"age", "classic"}
    # Fifteen minutes at 5 a second and five at 60, each job a tenth of a second.
    assert figures["age"]["ideal"] == pytest.approx(2_250, rel=0.05)
    assert "measured 240 times from" in said.stderr
    assert "not measured: " in said.stderr


def test_each_group_has_its_own_load(controller):
    said = controller("replay", "--last", "15m", "--group", "outbound")
    figures, _ = figures_of(said)

    # One mail a second for ten minutes; of four at once, each is a quarter.
    assert figures["age"]["ideal"] == pytest.approx(600 * 0.8 / 4, rel=0.2)


def test_bounds_are_those_of_the_controller_unless_others_are_given(controller):
    asked = ("replay", "--last", "15m", "--policy", "age")
    bounds = {"CONTROLLER_BOUNDS": "ledger=3-5,outbound=1-2"}

    (chart,) = figures_of(controller(*asked, **bounds))[1]
    (other,) = figures_of(controller(*asked, "--most", 4, **bounds))[1]

    assert chart.endswith("5 workers at most")
    assert other.endswith("4 workers at most")


def test_an_exported_hour_is_replayed_as_the_stored_one_is(controller, tmp_path):
    path = tmp_path / "hour.csv"

    exported = controller("export", "--last", "15m", path)
    kept = controller("replay", "--last", "15m")
    read = controller("replay", "--trace", path)

    assert exported.exit_code == 0, exported.stderr
    assert len(path.read_text().splitlines()) == 1 + 10 * A_MINUTE
    assert read.stdout == kept.stdout
    assert read.stderr == "", "of a file nobody knows when it was measured"


@pytest.mark.parametrize("command", [("replay",), ("export", "hour.csv")])
def test_too_little_is_said_and_not_replayed(coin, new_database, command):
    with new_database() as url:
        said = coin("controller", *command, "--last", "24h", DATABASE_URL=url)

    assert said.exit_code == 1
    assert "only 0 measurements are stored" in said.stderr
    assert "12 are needed" in said.stderr
    assert said.stdout == ""


def test_a_minute_is_enough_and_less_is_not(session):
    store(session, NOW, minutes=[0])

    load = stored(session, LEDGER, timedelta(minutes=1), now=NOW)
    assert len(load.ticks) == A_MINUTE
    with pytest.raises(click.ClickException, match="only 11"):
        stored(session, LEDGER, timedelta(seconds=55), now=NOW)


def test_what_is_all_there_has_no_gaps(session):
    store(session, NOW, minutes=range(10))

    load = stored(session, LEDGER, timedelta(minutes=10), now=NOW)

    begin, end = NOW - timedelta(minutes=10), NOW
    assert load.gaps == []
    assert load.notes() == [f"measured 120 times from {at(begin)} to {at(end)}"]


def at(time):
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def test_when_nothing_was_measured_is_said(session):
    """Before the first, between two, and since the last."""
    store(session, NOW, minutes=[1, 2, 7, 8])

    load = stored(session, LEDGER, timedelta(hours=1), now=NOW)

    ends = [
        (NOW.timestamp() - gap.begin, NOW.timestamp() - gap.end) for gap in load.gaps
    ]
    assert ends == [(3_600, 540), (420, 180), (60, 0)]
    assert "not measured: 56 min in 3 gaps, the longest from" in load.notes()[1]


def test_a_sample_that_is_about_to_come_is_no_gap(session):
    store(session, NOW - timedelta(seconds=6), minutes=range(2))

    assert stored(session, LEDGER, timedelta(minutes=2), now=NOW).gaps == []


def test_what_was_rolled_up_is_said_to_be_coarse(session):
    for ago in range(A_MINUTE):
        end = NOW - timedelta(minutes=5 * ago)
        five_minutes = [sample(end - timedelta(seconds=5 * n)) for n in range(60)]
        workload.store(session, workload.merged(five_minutes[::-1]))

    load = stored(session, LEDGER, timedelta(hours=1), now=NOW)

    assert load.gaps == []
    assert load.ticks[0].rate == 5
    assert "known by means of five minutes" in load.notes()[-1]
