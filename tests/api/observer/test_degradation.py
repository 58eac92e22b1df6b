"""What is away is said to be away; everything else is answered."""

import pytest

from domain import key_texts
from tests.api.calling import PROBLEM

HIDDEN = ("10.9.8.7", "somebody", "hidden", "SELECT", "psycopg2", "Traceback")
NEED_THE_DATABASE = (
    "/api/controller_decisions",
    "/api/governance_state",
    "/api/audit_summary",
)
NEED_IT_NOT = ("/health",)


@pytest.fixture(scope="module")
def empty(empty_database):
    """A database that was not migrated."""
    with empty_database() as url:
        yield url


@pytest.fixture(params=["away", "empty", "nowhere"])
def blind_node(request, new_node, empty, api_database):
    """Nodes whose server is not there, or which find there no tables or no database."""
    addresses = {
        "away": "postgresql://somebody:hidden@127.0.0.1:1/x",
        "empty": empty,
        "nowhere": f"{api_database}_of_somebody",
    }
    return new_node(addresses[request.param])


@pytest.mark.parametrize("path", NEED_THE_DATABASE)
def test_without_its_database_it_says_so_and_when_to_come_back(blind_node, path):
    answer = blind_node.get(path)

    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert answer.headers["Content-Type"] == PROBLEM
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert "database" in answer.json["detail"]
    assert not [word for word in HIDDEN if word in answer.text]


@pytest.mark.parametrize("path", NEED_IT_NOT)
def test_what_needs_no_database_is_answered_without_one(blind_node, path):
    assert blind_node.get(path).status_code == 200


def test_without_a_database_the_state_is_that_of_the_host(blind_node):
    answer = blind_node.get("/api/system_state")
    state = answer.json

    assert answer.status_code == 200
    assert state["system_metrics"]["memory"]["total_mb"] > 0
    unknown = ("redis_queue_depth", "last_controller_evaluation", "workload")
    assert [state[name] for name in unknown] == [None, None, None]
    assert not [word for word in HIDDEN if word in answer.text]


def test_a_database_that_is_away_is_an_error_of_its_own(new_node):
    node = new_node("postgresql://somebody:hidden@127.0.0.1:1/x")

    activity = node.get("/api/system_state").json["database_activity"]

    assert activity == {"error": "The database does not answer."}


def test_a_credential_that_cannot_be_looked_up_is_no_bad_credential(blind_node):
    _, text = key_texts.make()

    answer = blind_node.get("/api/audit_summary", headers={"X-API-Key": text})

    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_host_that_tells_nothing_is_an_error_of_its_own(node, monkeypatch):
    def fail(*_arguments):
        raise OSError("/proc is not mounted")

    monkeypatch.setattr("api.observer.host.psutil.virtual_memory", fail)

    state = node.get("/api/system_state").json

    assert state["system_metrics"].keys() == {"error", "timestamp"}
    assert "proc" not in state["system_metrics"]["error"]
    assert state["database_activity"]["active_connections"] > 0
