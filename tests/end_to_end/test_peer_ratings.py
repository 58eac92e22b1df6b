"""Real ratings through the real stack, against a loop over a dictionary."""

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from bench.faults.lent import lent
from bench.stack import running

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
RATINGS = ROOT.parent / "shared" / "data" / "peer-ratings.csv"
EXAMPLE = ROOT / "docs" / "examples" / "peer_ratings.py"
SECONDS = 180
# All 24,186 take a minute; they are in no special order.
COUNT = 4_000


@pytest.fixture
def stack(tmp_path, given):
    with lent(given) as servers, running(tmp_path / "data", servers) as stack:
        yield stack


def run(stack, *command):
    environment = {
        **os.environ,
        "COIN_API": stack.api,
        "COIN_API_KEY": stack.key,
        "DATABASE_URL": stack.database,
    }
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not RATINGS.exists(), reason="needs ../shared/data of a checkout")
def test_peer_ratings_come_to_what_a_plain_loop_comes_to(stack, tmp_path):
    writes, refused = tmp_path / "writes.ndjson", tmp_path / "refused.ndjson"
    ratings = tmp_path / "ratings.csv"
    with RATINGS.open() as lines:
        ratings.write_text("".join(islice(lines, COUNT)))
    run(stack, EXAMPLE, "prepare", ratings, writes)
    run(stack, "-m", "cli", "import", writes, "--refused", refused)
    checked = run(stack, EXAMPLE, "check", writes, refused)
    again = run(stack, "-m", "cli", "import", writes)
    checked_again = run(stack, EXAMPLE, "check", writes, refused)

    assert "applied   0" in again
    assert checked == checked_again
    assert checked.startswith("equal: ")
