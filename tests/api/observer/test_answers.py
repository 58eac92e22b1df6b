"""Every answer has what clients of the first observability node look for in it."""

import time
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import getitem

import pytest
import sqlalchemy as sa

from api.observer import governance
from domain import audit_events, scaling, workload
from domain.governance import announcing
from domain.governance.lifecycle import State
from domain.scaling import ControllerAction
from domain.workload import Crew, QueueLoad, Sample, WorkloadSample
from tests.api.observer.shapes import (
    AUDIT_SUMMARY,
    CONTROLLER_DECISIONS,
    GOVERNANCE_STATE,
    HEALTH,
    SYSTEM_STATE,
    differences,
)
from tests.factories import NOW
from tests.proposals import make_decided, make_draft, make_open
from tests.waiting import eventually

STATE = "/api/system_state"
DECISIONS = "/api/controller_decisions"
GOVERNANCE = "/api/governance_state"
AUDIT = "/api/audit_summary"
TWO = ("lime trees", "maples")
DECIDED = datetime(2026, 11, 20, 12, tzinfo=UTC)


def action(**fields):
    return ControllerAction(
        **{
            "at": DECIDED,
            "until": DECIDED + timedelta(seconds=10),
            "cycles": 3,
            "worker_group": "ledger",
            "mode": "active",
            "policy": "age-1",
            "target": "local",
            "current": 2,
            "desired": 4,
            "ordered": 4,
            "need": 3.6,
            "needs": {"arrivals": 2.0, "backlog": 3.6},
            "clamps": ["memory allows 9"],
            "reason": "oldest job 4.1 s > target 2 s",
            "inputs": {},
            "result": "done",
            "ms": 3.5,
            "controller": "one",
            **fields,
        }
    )


@pytest.fixture
def decide(workload_sessions):
    """Return a function that records what was decided."""

    def decide(*actions):
        with workload_sessions.begin() as session:
            scaling.record(session, actions)

    yield decide
    with workload_sessions.begin() as session:
        session.execute(sa.delete(ControllerAction))


@pytest.fixture
def sample(workload_sessions):
    """Return a function that stores a sample some seconds old."""

    def sample(*, old=0.0, **fields):
        at = datetime.now(UTC) - timedelta(seconds=old)
        with workload_sessions.begin() as session:
            workload.store(session, Sample(at=at, seconds=5.0, **fields))

    yield sample
    with workload_sessions.begin() as session:
        session.execute(sa.delete(WorkloadSample))


def test_health_says_who_it_is_and_for_how_long(node):
    first, second = (node.get("/health").json for _ in range(2))

    assert list(differences(HEALTH, first)) == []
    assert (first["status"], first["service"]) == ("ok", "Global Observability Node")
    assert second["uptime_seconds"] > first["uptime_seconds"] >= 0


def test_the_state_tells_of_host_database_and_queues(
    busy_node, decide, sample, always_anew
):
    queues = {
        "ledger": QueueLoad(ready=7, running=2, oldest=1.5, messages=9),
        "mail": QueueLoad(delayed=1, messages=3),
        "webhooks": QueueLoad(ready=1),
    }
    sample(old=60.0, queues={"ledger": QueueLoad(messages=1_000)})
    sample(queues=queues, crews={"ledger": Crew(alive=2, busy=1)})
    decide(action())
    node = busy_node()

    def measured():
        # Over less than a tenth of a second there is nothing to say of processors.
        state = node.get(STATE).json
        return state["system_metrics"]["cpu_percent"] is not None and state

    state = eventually(measured)

    assert list(differences(SYSTEM_STATE, state)) == []
    assert state["redis_queue_depth"] == 12
    assert state["last_controller_evaluation"] == "2026-11-20T12:00:10+00:00"
    assert state["workload"]["queues"]["ledger"] == {
        "ready": 7,
        "delayed": 0,
        "running": 2,
        "oldest": 1.5,
        "messages": 9,
    }
    assert state["workload"]["workers"] == {"ledger": {"alive": 2, "busy": 1}}
    assert 0 <= state["workload"]["age_seconds"] < 30


def test_processors_are_measured_between_two_looks(node, always_anew):
    def percent():
        return node.get(STATE).json["system_metrics"]["cpu_percent"]

    assert percent() is None or percent() is None
    busy_until = time.monotonic() + 0.3
    while time.monotonic() < busy_until:
        pass
    assert 0 < eventually(percent) <= 100


def test_what_nobody_sampled_lately_is_unknown_and_not_zero(busy_node, sample):
    assert busy_node().get(STATE).json["redis_queue_depth"] is None
    assert busy_node().get(STATE).json["workload"] is None

    sample(old=60.0, queues={"ledger": QueueLoad(messages=5)})
    old = busy_node().get(STATE).json

    assert old["redis_queue_depth"] is None
    assert old["workload"]["age_seconds"] >= 60
    assert old["workload"]["queues"]["ledger"]["messages"] == 5


def test_a_broker_that_nobody_asked_has_no_depth(busy_node, sample):
    sample(queues={"ledger": QueueLoad(ready=5)})

    assert busy_node().get(STATE).json["redis_queue_depth"] is None


@pytest.mark.parametrize(
    "name", ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "K_SERVICE"]
)
def test_kubernetes_is_noticed_by_its_variables(new_node, monkeypatch, name):
    before = new_node().get(STATE).json["kubernetes_enabled"]
    monkeypatch.setenv(name, "x")

    assert (before, new_node().get(STATE).json["kubernetes_enabled"]) == (False, True)


def test_a_decision_has_its_reason_and_what_was_done(busy_node, decide):
    decide(action())

    answer = busy_node().get(DECISIONS).json

    assert list(differences(CONTROLLER_DECISIONS, answer)) == []
    (decision,) = answer["decisions"]
    del decision["id"]
    assert decision == {
        "timestamp": "2026-11-20T12:00:00+00:00",
        "user_id": None,
        "recommendations": {
            "policy": "age-1",
            "desired": 4,
            "need": 3.6,
            "needs": {"arrivals": 2.0, "backlog": 3.6},
            "clamps": ["memory allows 9"],
            "reason": "oldest job 4.1 s > target 2 s",
        },
        "actions_taken": ["local was told 4"],
        "sentence": (
            "ledger 2 → 4: oldest job 4.1 s > target 2 s; memory allows 9; done"
        ),
        "group": "ledger",
        "mode": "active",
        "target": "local",
        "current": 2,
        "desired": 4,
        "ordered": 4,
        "result": "done",
        "until": "2026-11-20T12:00:10+00:00",
        "cycles": 3,
    }


def test_the_sentence_is_the_one_the_controller_logs(busy_node, decide):
    unknown = action(current=None, desired=None, ordered=None, need=None, clamps=[])
    decide(unknown)

    (decision,) = busy_node().get(DECISIONS).json["decisions"]

    assert decision["sentence"] == unknown.sentence
    assert decision["actions_taken"] == []


def test_decisions_are_the_newest_first_and_as_many_as_wanted(busy_node, decide):
    decide(*(action(cycles=number) for number in range(1, 121)))
    node = busy_node()

    def cycles(**params):
        answer = node.get(DECISIONS, params=params).json
        assert answer["count"] == len(answer["decisions"])
        return answer["limit"], [one["cycles"] for one in answer["decisions"]]

    newest = list(range(120, 0, -1))
    assert cycles() == (10, newest[:10])
    assert cycles(limit="3") == (3, newest[:3])
    assert cycles(limit="11") == (11, newest[:11])
    assert cycles(limit="100") == (100, newest[:100])


def test_governance_is_counted_and_shows_no_draft(new_node, api_sessions):
    before = new_node().get(GOVERNANCE).json
    with api_sessions.begin() as session:
        drafted = make_draft(session, title="A draft that nobody is shown")
        opened = make_open(session, title="Something that is discussed", now=NOW)
        for case in (opened, make_decided(session, type_name="budget", options=TWO)):
            announcing.announce(session, case.row.id, now=NOW)
        opened.row.turnout = 3
    answer = new_node().get(GOVERNANCE).json

    assert list(differences(GOVERNANCE_STATE, answer)) == []
    assert answer["available"] is True

    def more(*path):
        found = [reduce(getitem, path, told) for told in (answer, before)]
        return found[0] - found[1]

    summary = "proposal_summary"
    assert more(summary, "total") == 3
    for status, count in (("draft", 1), ("active", 1), ("closed", 1), ("rejected", 0)):
        assert more(summary, "by_status", status) == count
    assert more(summary, "by_state", "discussion") == 1
    assert more("vote_summary", "total_votes") == 3
    assert str(drafted.row.id) not in str(answer)
    decided, discussed = answer["recent_proposals"][:2]
    assert (decided["status"], decided["state"]) == ("closed", "passed")
    assert discussed["title"] == "Something that is discussed"
    assert "author" not in discussed


def test_every_state_there_is_counts_as_one_of_four():
    assert set(governance._STATUS_OF) == {str(state) for state in State}
    assert set(governance._STATUS_OF.values()) == {
        *("draft", "active", "closed", "rejected")
    }


def test_an_audit_entry_has_what_an_auditor_wants_to_know(
    new_node, new_person, api_sessions
):
    auditor = new_person("auditor")
    with api_sessions.begin() as session:
        audit_events.record(
            session,
            action="key.created",
            application="commons",
            actor=auditor.user.id,
            subject="key:of-mine",
            details={"scopes": ["ledger:read"]},
            request_id=None,
            now=DECIDED,
        )
    token = {"Authorization": f"Bearer {auditor.access_token}"}

    answer = new_node().get(AUDIT, params={"limit": "1"}, headers=token).json

    assert list(differences(AUDIT_SUMMARY, answer)) == []
    (entry,) = answer["audit_entries"]
    del entry["id"]
    assert entry == {
        "actor_user_id": auditor.id,
        "action_type": "key.created",
        "target_entity_id": "key:of-mine",
        "details": {"scopes": ["ledger:read"]},
        "ip_address": None,
        "created_at": "2026-11-20T12:00:00+00:00",
        "application": "commons",
    }


def test_a_shape_that_is_not_kept_is_noticed():
    wrong = {"count": True, "limit": 1.0, "decisions": [{"id": "1"}], "timestamp": "x"}

    assert len(list(differences(CONTROLLER_DECISIONS, wrong))) == 8
    naive = {**wrong, "timestamp": "2026-11-20T12:00:00"}
    assert len(list(differences(CONTROLLER_DECISIONS, naive))) == 8
