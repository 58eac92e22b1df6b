"""What the API writes about its requests: one line each, and never a secret."""

import json
import subprocess
import sys

import pytest

SECRET = "s3cret-of-the-database"
KEY = "pc_Abcdefghijkl_" + "k" * 46
FORGED = "/%0a2026-11-20 [info     ] request forged=yes%1b[2J"
# Two requests of a process whose database is away, and one that meets a bug.
SCRIPT = f"""
import sys
import logconfig
logconfig.configure(style=sys.argv[1])
from falcon import testing
from api import permissions
from api.app import create_app
from domain.settings import Settings

class Broken:
    def on_get(self, req, resp):
        key = req.get_header("X-API-Key")
        raise ValueError("a bug")

import api.authentication
api.authentication.well_formed = lambda text: True
app = create_app(Settings(database_url="postgresql://me:{SECRET}@127.0.0.1:9/x"))
app.add_route("/broken", Broken())
permissions.RULES = {{("GET", "/broken"): permissions.Rule(open=True)}}
client = testing.TestClient(app)
for path in ("/ledger/alice", "/status/ready", "/metrics", "/broken", "{FORGED}"):
    client.simulate_get(path, headers={{"X-API-Key": "{KEY}", "X-Request-ID": "r-1"}})
"""


@pytest.fixture(scope="module", params=["json", "console"])
def style(request):
    return request.param


@pytest.fixture(scope="module")
def said(style):
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, style],
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout + ran.stderr


def test_no_secret_is_written_even_when_all_goes_wrong(said):
    assert "a bug" in said
    assert SECRET not in said
    assert KEY not in said


def test_every_request_has_one_line_with_its_id(said, style):
    if style == "json":
        events = [json.loads(line) for line in said.splitlines()]
        requests = [event for event in events if event["event"] == "request"]
        assert [event["request"] for event in requests] == ["r-1"] * 5
    else:
        assert said.count("] request ") == 5


def test_a_bug_is_written_with_the_place_it_is_in(said):
    assert "unexpected_error" in said
    assert "on_get" in said


def test_a_path_writes_no_line_of_its_own(said):
    """CWE-117."""
    assert "/%0A2026" in said
    assert [line for line in said.splitlines() if line.startswith("2026-11-20 ")] == []
    assert "\x1b[2J" not in said
