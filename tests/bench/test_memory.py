"""How much memory a program had."""

import subprocess
import sys

import pytest

from bench import memory
from tests.databases import ROOT

LARGE = 200_000_000

pytestmark = pytest.mark.skipif(
    not memory._STATUS.exists(), reason="the system does not tell"
)


def test_the_peak_is_the_programs_own_and_not_that_of_who_started_it():
    filled = b"x" * LARGE
    program = "from bench import memory; print(memory.peak())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert 0 < int(done.stdout) < len(filled) < memory.peak()
