"""The example clients, run as their users would, before an API that fails them."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.stack import ROOT
from tests.end_to_end.unreliable import Unreliable
from tests.factories import make_owner

pytestmark = pytest.mark.long

EXAMPLES = ROOT / "docs" / "examples"
SECONDS = 90
CLIENTS = {
    "python": [sys.executable, EXAMPLES / "client.py"],
    "javascript": ["node", EXAMPLES / "client.mjs"],
    "curl": ["bash", EXAMPLES / "curl.sh"],
}
TOOL = {"python": sys.executable, "javascript": "node", "curl": "curl"}
# The first write arrives, and its answer does not; nothing goes well until the fifth.
FATES = ("unanswered", "busy", "lost", "limited")


@pytest.fixture(params=CLIENTS)
def run(request, stack):
    """Return a function that runs one of the clients."""
    if shutil.which(TOOL[request.param]) is None:
        pytest.skip(f"{TOOL[request.param]} is not on this machine")

    def run(owner, nonce, api=stack.endpoints["api"]):
        environ = {**os.environ, "COIN_API": api}
        environ["COIN_API_KEY"] = stack.endpoints["key"]
        done = subprocess.run(
            [*map(str, CLIENTS[request.param]), owner, nonce],
            env=environ,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def example(stack):
    """The Python client as a module, and one of its clients."""
    spec = importlib.util.spec_from_file_location("client", EXAMPLES / "client.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def new_coin(example, stack):
    """Return a maker of Python clients."""
    made = []

    def make(api=stack.endpoints["api"], **options):
        made.append(example.Coin(api, stack.endpoints["key"], **options))
        return made[-1]

    yield make
    for coin in made:
        coin.close()


def write(owner, operation="CREDIT_ADD"):
    return {"owner_id": owner, "operation": operation, "nonce": make_owner("nonce")}


def version(client, owner):
    """Return how many transfers an owner had."""
    return client.get(f"/ledger/{owner}")["version"]


def test_a_client_writes_waits_and_reads(run, client):
    owner = make_owner()

    assert [run(owner, make_owner("nonce")) for _ in range(2)] == ["10", "20"]
    assert version(client, owner) == 2


def test_a_client_that_is_run_again_changes_nothing(run, client):
    owner, nonce = make_owner(), make_owner("nonce")

    assert [run(owner, nonce) for _ in range(2)] == ["10", "10"]
    assert version(client, owner) == 1


def test_a_client_goes_on_through_losses_and_refusals_and_writes_once(
    run, client, stack
):
    owner = make_owner()
    with Unreliable(stack.endpoints["api"], *FATES) as unreliable:
        shown = run(owner, make_owner("nonce"), unreliable.url)

    assert unreliable.met[:5] == [("POST", fate) for fate in (*FATES, "well")]
    assert shown == "10"
    assert version(client, owner) == 1


def test_what_is_lost_while_it_waits_is_asked_for_again(new_coin, client, stack):
    owner = make_owner()
    with Unreliable(stack.endpoints["api"]) as unreliable:
        coin = new_coin(unreliable.url)
        coin._headers.pop("Prefer")
        unreliable.fates += ["well", "lost", "unanswered", "busy"]

        made = coin.write("/ledger", write(owner))

    assert [method for method, _ in unreliable.met] == ["POST", *["GET"] * 4]
    assert made["balance"] == 10
    assert version(client, owner) == 1


def test_a_refusal_is_final_and_says_why(new_coin, example, stack):
    with Unreliable(stack.endpoints["api"]) as unreliable:
        coin = new_coin(unreliable.url)
        with pytest.raises(example.Refused) as refused:
            coin.write("/ledger", write(make_owner(), "CREDIT_SPEND"))

    assert refused.value.problem["code"] == "insufficient_credits"
    assert len(unreliable.met) == 1


def test_a_refusal_that_was_polled_for_says_why(new_coin, example):
    coin = new_coin()
    coin._headers.pop("Prefer")

    with pytest.raises(example.Refused, match="insufficient_credits"):
        coin.write("/ledger", write(make_owner(), "CREDIT_SPEND"))


def test_patience_ends(new_coin, example):
    coin = new_coin("http://127.0.0.1:9", patience_seconds=1)

    with pytest.raises(example.Unanswered, match="refused"):
        coin.balance("alice")


def test_a_write_without_a_nonce_is_not_sent(new_coin):
    with pytest.raises(ValueError, match="twice"):
        new_coin().write("/ledger", {"owner_id": "alice", "operation": "CREDIT_ADD"})


def test_retries_are_spread_over_all_of_a_growing_time(example):
    """Full jitter: any time from none to the ceiling."""
    for tries, ceiling in ((1, 0.4), (3, 1.6), (20, 20.0)):
        pauses = [example._jitter(tries) for _ in range(2_000)]

        assert 0 <= min(pauses) < 0.05 * ceiling
        assert 0.95 * ceiling < max(pauses) <= ceiling


def test_the_python_client_is_strictly_typed():
    mypy = Path(sys.executable).with_name("mypy")
    done = subprocess.run(
        [mypy, "--strict", "--config-file=", EXAMPLES / "client.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout
