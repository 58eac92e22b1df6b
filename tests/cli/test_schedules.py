"""`coin schedules`: what comes round by the clock, in words."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

import tasks
from domain.jobs import Job
from tasks._periodic import slot_of, submit_slot
from tests.databases import ROOT
from tests.factories import NOW

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def ended(sessions, monkeypatch):
    """Store a periodic job that a worker ended so long ago."""

    def ended(name, *, ago, state="succeeded"):
        at = datetime.now(UTC) - ago
        monkeypatch.setattr("tasks._periodic.sessions", lambda: sessions)
        assert submit_slot(tasks.kinds[name], now=at)
        with sessions.begin() as session:
            job = session.scalars(sa.select(Job).order_by(Job.id.desc())).first()
            job.state, job.finished_at = state, at
            if state == "succeeded":
                job.result = {}
            else:
                job.problem = {"detail": "no"}

    return ended


def rows_of(said):
    """Return what is said of each, beside what it does."""
    lines = said.stdout.splitlines()
    names = [line.split()[0] for line in lines[::2]]
    return dict(zip(names, zip(lines[::2], lines[1::2], strict=True), strict=True))


def test_every_periodic_job_is_listed_with_what_it_does_and_how_often(operate):
    said = operate("schedules")
    rows = rows_of(said)

    assert said.exit_code == 0
    assert list(rows) == sorted(kind.name for kind in tasks.periodic())
    often, does = rows["maintenance.reconcile"]
    assert "every 5 seconds" in often
    assert does.strip().startswith("Expire late jobs, take back lost ones,")
    assert "every hour" in rows["maintenance.tend_logins"][0]
    assert "every minute" in rows["webhooks.tidy"][0]


def test_what_never_ran_is_said_to_be_so(operate):
    rows = rows_of(operate("schedules"))

    assert all("never ran, next in " in row for row, _ in rows.values())


def test_the_last_run_is_told_with_how_it_ended(operate, ended):
    ended("maintenance.tend_logins", ago=2 * HOUR)
    ended("maintenance.tend_logins", ago=HOUR, state="failed")
    ended("webhooks.tidy", ago=20 * SECOND)

    rows = rows_of(operate("schedules"))
    failed = "failed 60 min ago (no), succeeded 2 h ago, next in"
    assert failed in rows["maintenance.tend_logins"][0]
    assert "succeeded 20 s ago, next in" in rows["webhooks.tidy"][0]


def test_what_no_worker_began_did_not_run(operate, ended):
    ended("webhooks.tidy", ago=100 * SECOND)
    ended("webhooks.tidy", ago=2 * SECOND, state="expired")

    assert (
        "succeeded 2 min ago, next in"
        in rows_of(operate("schedules"))["webhooks.tidy"][0]
    )


@pytest.mark.parametrize(("seconds", "overdue"), [(110, False), (130, True)])
def test_two_periods_without_a_run_are_overdue(operate, ended, seconds, overdue):
    ended("webhooks.tidy", ago=seconds * SECOND)

    assert ("overdue" in rows_of(operate("schedules"))["webhooks.tidy"][0]) == overdue


def test_schedules_for_programs_are_a_list(operate, ended):
    ended("webhooks.tidy", ago=20 * SECOND)
    before = datetime.now(UTC)
    found = {
        one["name"]: one for one in json.loads(operate("schedules", "--json").stdout)
    }

    tidy, reconcile = found["webhooks.tidy"], found["maintenance.reconcile"]
    assert tidy["last_run"]["state"] == "succeeded"
    assert tidy["last_success_at"] == tidy["last_run"]["at"]
    assert (tidy["every_seconds"], tidy["overdue"]) == (60, False)
    assert (reconcile["last_run"], reconcile["overdue"]) == (None, True)
    wait = datetime.fromisoformat(tidy["next_at"]) - before
    assert timedelta(0) <= wait <= 61 * SECOND


@pytest.mark.parametrize("name", ["webhooks.tidy", "maintenance.reconcile"])
def test_the_next_run_is_when_the_next_slot_begins(name):
    kind = tasks.kinds[name]
    begin = tasks.next_slot_at(kind, NOW + 3.5 * SECOND)

    assert slot_of(kind, begin) == slot_of(kind, NOW + 3.5 * SECOND) + 1
    assert slot_of(kind, begin - timedelta(microseconds=1)) == slot_of(kind, NOW)


def test_the_page_shows_every_one_of_them():
    page = (ROOT / "docs/controller.md").read_text()
    shown = page.partition("$ coin schedules\n")[2].partition("```")[0]

    periodic = {name for name, kind in tasks.kinds.items() if kind.every_seconds}
    assert {line.split()[0] for line in shown.splitlines()[::2]} == periodic
