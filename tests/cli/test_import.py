import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import cli

ROOT = Path(cli.__file__).parent.parent
AMOUNTS = {"SIGNUP_CREDIT": 3, "CREDIT_ADD": 10, "CREDIT_SPEND": -1}


@pytest.fixture
def owner(request):
    """Names of owners that no other test uses."""
    test = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))
    return lambda name: f"{test}-{name}"


@pytest.fixture
def send(stack, coin):
    """Import a file into the running stack; the summary comes as numbers."""

    def run(file, *options):
        return coin("import", file, "--data", stack.data, *options)

    return run


def numbers(answer):
    found = re.findall(
        r"^(entries|applied|replayed|refused) +([\d,]+)", answer.stdout, re.MULTILINE
    )
    return {name: int(count.replace(",", "")) for name, count in found}


def write(path, entries):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def operation(owner_id, name, nonce):
    return {"owner_id": owner_id, "operation": name, "nonce": nonce}


def balance(stack, owner_id):
    return stack.ask(f"/ledger/{owner_id}")[1]["balance"]


def shuffled_history(owner, count, seed):
    """Operations and transfers of a few owners, many of which must be refused."""
    dice = random.Random(seed)
    owners = [owner(f"o{number}") for number in range(8)]
    for number in range(count):
        nonce = owner(f"n{number}")
        if dice.random() < 0.5:
            yield operation(dice.choice(owners), dice.choice(list(AMOUNTS)), nonce)
        else:
            giver, taker = dice.sample(owners, 2)
            amount = dice.randint(1, 15)
            yield {"from": giver, "to": taker, "amount": amount, "nonce": nonce}


def model(entries):
    """What a careful clerk would write: balances, and how many were refused."""
    balances, signed_up, refused = Counter(), set(), Counter()
    for entry in entries:
        if "amount" in entry:
            giver, taker, amount = entry["from"], entry["to"], entry["amount"]
            if balances[giver] < amount:
                refused["insufficient_credits"] += 1
                continue
            balances[giver] -= amount
            balances[taker] += amount
            continue
        owner_id, amount = entry["owner_id"], AMOUNTS[entry["operation"]]
        if entry["operation"] == "SIGNUP_CREDIT" and owner_id in signed_up:
            refused["already_claimed"] += 1
        elif balances[owner_id] + amount < 0:
            refused["insufficient_credits"] += 1
        else:
            balances[owner_id] += amount
            if entry["operation"] == "SIGNUP_CREDIT":
                signed_up.add(owner_id)
    return balances, refused


def test_a_file_comes_out_as_a_clerk_would_have_it(stack, send, owner, tmp_path):
    entries = list(shuffled_history(owner, 600, seed=1))
    balances, refused = model(entries)
    refusals = tmp_path / "refused.ndjson"
    answer = send(
        write(tmp_path / "history.ndjson", entries),
        *("--batch", 37, "--refused", refusals),
    )
    assert answer.exit_code == 0, answer.output
    counted = numbers(answer)
    assert counted["entries"] == 600
    assert counted["replayed"] == 0
    assert counted["refused"] == refused.total()
    for code, count in refused.items():
        assert f"{code} {count}" in answer.stdout
    for owner_id, expected in balances.items():
        assert balance(stack, owner_id) == expected
    lines = [json.loads(line) for line in refusals.read_text().splitlines()]
    assert Counter(line["problem"]["code"] for line in lines) == refused
    assert all(entries[line["line"] - 1] == line["entry"] for line in lines)
    assert stack.ask("/ledger/trial-balance")[1]["sum"] == 0


def test_a_second_run_changes_nothing(stack, send, owner, tmp_path):
    entries = list(shuffled_history(owner, 300, seed=2))
    file = write(tmp_path / "history.ndjson", entries)
    first = numbers(send(file, "--batch", 37))
    again = numbers(send(file, "--batch", 37))
    assert first["applied"] > 0
    assert again == {**first, "applied": 0, "replayed": first["applied"]}
    for owner_id, expected in model(entries)[0].items():
        assert balance(stack, owner_id) == expected


def test_with_other_batches_nothing_is_applied_twice_either(
    stack, send, owner, tmp_path
):
    entries = [operation(owner("a"), "CREDIT_ADD", owner(n)) for n in range(100)]
    file = write(tmp_path / "history.ndjson", entries)
    assert numbers(send(file, "--batch", 37))["applied"] == 100
    assert numbers(send(file, "--batch", 50))["replayed"] == 100
    assert balance(stack, owner("a")) == 1000


def test_a_killed_run_is_taken_up_by_the_next(stack, owner, send, tmp_path):
    entries = [
        operation(owner(f"o{n % 5}"), "CREDIT_ADD", owner(f"n{n}")) for n in range(4000)
    ]
    file = write(tmp_path / "long.ndjson", entries)
    killed = subprocess.Popen(
        [
            *(sys.executable, "-m", "cli", "import", file),
            *("--data", stack.data, "--batch", "20"),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while balance(stack, owner("o0")) == 0:
        assert time.monotonic() < deadline, "it never began"
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(10)
    answer = send(file, "--batch", 20)
    counted = numbers(answer)
    assert counted["applied"] > 0, "the first run had finished: make the file longer"
    assert counted["replayed"] > 0
    assert counted["applied"] + counted["replayed"] == 4000
    for n in range(5):
        assert balance(stack, owner(f"o{n}")) == 8000


def test_csv_of_transfers_with_metadata(stack, send, owner, tmp_path):
    signups = tmp_path / "signups.csv"
    signups.write_text(
        f"owner_id,operation,nonce\n{owner('a')},SIGNUP_CREDIT,{owner('n')}\n"
    )
    transfers = tmp_path / "transfers.csv"
    transfers.write_text(
        "from,to,amount,nonce,metadata\n"
        f'{owner("a")},{owner("b")},2,{owner("t")},"{{""for"": ""tea""}}"\n'
    )
    assert numbers(send(signups))["applied"] == 1
    assert numbers(send(transfers))["applied"] == 1
    assert balance(stack, owner("b")) == 2


def test_an_atomic_batch_is_applied_as_a_whole_or_not_at_all(
    stack, send, owner, tmp_path
):
    entries = [
        operation(owner("a"), "SIGNUP_CREDIT", owner("1")),
        operation(owner("a"), "CREDIT_SPEND", owner("2")),
        operation(owner("b"), "CREDIT_SPEND", owner("3")),
        operation(owner("c"), "SIGNUP_CREDIT", owner("4")),
    ]
    file = write(tmp_path / "batch.ndjson", entries)
    refusals = tmp_path / "refused.ndjson"
    answer = send(file, "--atomic", "--batch", 3, "--refused", refusals)
    assert numbers(answer) == {
        "entries": 4,
        "applied": 1,
        "replayed": 0,
        "refused": 3,
    }
    assert balance(stack, owner("a")) == 0
    assert balance(stack, owner("c")) == 3
    codes = [
        json.loads(line)["problem"]["code"]
        for line in refusals.read_text().splitlines()
    ]
    assert codes[2] == "insufficient_credits"
    assert codes[0] == codes[1] != codes[2]


def test_strict_turns_a_refusal_into_an_exit_code(send, owner, tmp_path):
    entries = [operation(owner("poor"), "CREDIT_SPEND", owner("n"))]
    file = write(tmp_path / "one.ndjson", entries)
    assert send(file).exit_code == 0
    assert send(file, "--strict").exit_code == 1


def test_a_bad_line_stops_before_its_batch_and_says_where(stack, send, owner, tmp_path):
    file = tmp_path / "half.csv"
    rows = [f"{owner('a')},CREDIT_ADD,{owner(n)}" for n in range(5)]
    file.write_text("\n".join(["owner_id,operation,nonce", *rows, "oops"]) + "\n")
    answer = send(file, "--batch", 2)
    assert answer.exit_code == 1
    assert "line 7: 1 fields" in answer.output
    assert numbers(answer)["applied"] == 4
    assert balance(stack, owner("a")) == 40


def test_what_the_api_finds_wrong_is_named_by_its_line(send, owner, tmp_path):
    entries = [operation(owner("a"), "CREDIT_ADD", owner(n)) for n in range(5)]
    entries[3]["owner_id"] = 7
    answer = send(write(tmp_path / "typed.ndjson", entries), "--batch", 2)
    assert answer.exit_code == 1
    assert "line 4: owner_id: " in answer.output
    assert numbers(answer)["applied"] == 2


def test_a_wrong_key_is_explained(send, owner, tmp_path):
    entries = [operation(owner("a"), "CREDIT_ADD", owner("n"))]
    answer = send(write(tmp_path / "one.ndjson", entries), "--key", "pc_wrong")
    assert answer.exit_code == 1
    assert "401" in answer.output
    assert "Traceback" not in answer.output


def test_without_an_address_it_says_how_to_give_one(coin, tmp_path):
    file = write(tmp_path / "one.ndjson", [operation("a", "CREDIT_ADD", "n")])
    answer = coin("import", file, "--data", tmp_path)
    assert answer.exit_code == 2
    assert "COIN_API" in answer.output
