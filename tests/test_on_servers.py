"""What runs the tests on a machine's own servers: which it uses, and what it says."""

import pytest

from tests import on_servers
from tests.databases import ROOT
from tests.on_servers import POSTGRESQL, REDIS, run


@pytest.fixture
def asked(monkeypatch, servers):
    """What the tests were run on; they fail, for want of being run."""
    monkeypatch.setenv("DATABASE_URL", servers["database"])
    monkeypatch.setenv("REDIS_URL", servers["redis"])
    given = []
    monkeypatch.setattr(on_servers, "tests", lambda urls: given.append(urls) or 1)
    return given


def said(capsys, beginning):
    """Return the lines that begin so; those of other tests' threads do not."""
    lines = capsys.readouterr().out.splitlines()
    return [line for line in lines if line.startswith(beginning)]


def test_the_tests_are_run_on_servers_that_answer(asked, servers, capsys):
    failed = run(POSTGRESQL, REDIS)

    urls = {"DATABASE_URL": servers["database"], "REDIS_URL": servers["redis"]}
    assert (failed, asked) == (1, [urls])
    assert said(capsys, "run on PostgreSQL 1")


def test_a_server_that_is_away_is_named_instead(asked, monkeypatch, capsys):
    monkeypatch.setenv("REDIS_URL", "redis://:secret@127.0.0.1:1")

    failed = run(POSTGRESQL, REDIS)

    (line,) = said(capsys, "not run on PostgreSQL and Redis: Redis at 127.0.0.1:1: ")
    assert (failed, asked) == (0, [])
    assert "secret" not in line


def test_a_server_that_is_too_old_is_not_used(asked, capsys):
    failed = run(POSTGRESQL._replace(oldest=(99, 0)), REDIS)

    assert (failed, asked) == (0, [])
    assert "is too old" in capsys.readouterr().out


def test_what_is_left_out_is_there():
    files = {path.stem for path in (ROOT / "tests/end_to_end").glob("test_*.py")}

    assert {f"test_{name}" for name in on_servers.ANY_SERVER} <= files
