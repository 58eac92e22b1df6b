"""docs/governance.md shows a vote in commands: pasted one after another, they work."""

import json
import re
import shutil
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from threading import Timer

import pytest
import sqlalchemy as sa

from domain.db import create_engine
from domain.settings import Settings
from tests.databases import ROOT
from tests.governance_time import age
from tests.waiting import eventually

PAGE = (ROOT / "docs" / "governance.md").read_text()
HOST = "API=http://127.0.0.1:8000\n"
WHY = "yes 2 of 2 cast, more_than 1/2 = 1: met. Passed."
BLOCK_SECONDS, COUNTED_SECONDS = 60, 60
END = "the end of a block:"
_REGISTERED = """
    UPDATE users SET created_at = created_at {} interval '90 days'
    WHERE id = ANY(CAST(:ids AS uuid[]))
"""

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not on this machine"
)


class Shell:
    """One shell, into which block after block is pasted."""

    def __init__(self, folder):
        coin = folder / "coin"
        coin.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli "$@"\n')
        coin.chmod(0o755)
        self._process = subprocess.Popen(
            ["/bin/sh"],
            cwd=folder,
            env={"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._process.kill()
        self._process.communicate()

    def paste(self, block):
        """Return what a block prints, and the status of its last command."""
        patience = Timer(BLOCK_SECONDS, self._process.kill)
        patience.start()
        self._process.stdin.write(f'{block}\necho "{END} $?"\n')
        self._process.stdin.flush()
        printed = []
        for line in self._process.stdout:
            if line.startswith(END):
                patience.cancel()
                return "".join(printed), int(line.removeprefix(END))
            printed.append(line)
        raise AssertionError("".join(printed))


@pytest.fixture
def shell(tmp_path):
    with Shell(tmp_path) as shell:
        yield shell


@pytest.fixture
def members(stack):
    """Return how to make people members of long standing, until the test is over."""
    people = []

    def make(ids):
        people.extend(ids)
        run(stack, "-", people)

    yield make
    run(stack, "+", people)


def run(stack, change, people):
    """Change when people have registered, as only who owns the tables may."""
    database = Settings(database_url=stack.endpoints["database"])
    engine = create_engine(database, role=False)
    with engine.begin() as connection:
        connection.execute(sa.text(_REGISTERED.format(change)), {"ids": people})
    engine.dispose()


def blocks():
    """Return the section's commands, and the sentences before each block."""
    section = PAGE.split("\n## One vote, from draft to recount\n")[1].split("\n## ")[0]
    return re.findall(r"(.+?)^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def answers(printed):
    """Return the answers among what was printed: (status, what it says)."""
    found = re.findall(r"^(.*) (\d{3})$", printed, re.MULTILINE)
    return [(int(status), json.loads(said or "null")) for said, status in found]


def lengths(timeline):
    """Return how many days discussion, freeze and voting take."""
    names = ("opened_at", "frozen_at", "voting_at", "closes_at")
    times = [datetime.fromisoformat(timeline[name]) for name in names]
    return [(end - begin).days for begin, end in pairwise(times)]


def test_the_commands_of_the_page_hold_a_vote_and_count_it_again(
    stack, shell, members, client
):
    register, draft, vote, count = (block for _, block in blocks())
    database, api = stack.endpoints["database"], stack.endpoints["api"]
    assert HOST in register

    made, status = shell.paste(register.replace(HOST, f"API={api}\n"))
    people = [said for code, said in answers(made) if code == 201]
    assert ([one["username"] for one in people], status) == (["ada", "ben", "cat"], 0)
    members([one["id"] for one in people])

    printed, _ = shell.paste(draft)
    assert '\n"similar":[' in printed
    (drafted, _), (opened, proposal) = answers(printed)
    assert (drafted, opened, proposal["state"]) == (201, 200, "discussion")
    assert lengths(proposal["timeline"]) == [3, 1, 7]

    age(database, proposal["id"], days=4, hours=1)
    cast = answers(shell.paste(vote)[0])
    assert [code for code, _ in cast] == [201, 201, 201, 201, 200]
    mine = cast[-1][1]["ballots"]
    assert [one["choice"] for one in mine] == ["yes", "no"]

    age(database, proposal["id"], days=7)
    path = f"/api/governance/proposals/{proposal['id']}"
    eventually(lambda: client.get(path)["state"] == "passed", within=COUNTED_SECONDS)
    printed, status = shell.paste(count)
    (_, result), (_, explained), _ = found = answers(printed)
    assert [code for code, _ in found] == [200] * 3
    assert result["outcome"] == "passed"
    assert WHY in explained["explanation"]
    assert "\nok " in printed
    assert "\noutcome   passed\n" in printed
    assert "differs" not in printed
    assert status == 0


def test_the_page_says_between_the_commands_how_long_it_takes():
    told = [" ".join(words.split()) for words, _ in blocks()]

    assert "Three days of discussion" in told[2]
    assert "and one in which the text is frozen" in told[2]
    assert "Voting closes after seven days" in told[3]
    assert WHY in told[3]
