"""Whether a run reached what the ledger set out to reach."""

from bench.targets import TARGETS


def verdicts(found):
    return {target.what: target.judge(found) for target in TARGETS}


def test_a_figure_that_reaches_its_bound_is_reached(found):
    judged = verdicts(found)

    assert judged["single POST, 256 connections, against TPC-B"] == ("1.2 x", "yes")
    assert judged["memory of the idle stack without PostgreSQL and Redis"] == (
        "180 MB",
        "yes",
    )


def test_a_figure_beyond_its_bound_is_missed_and_said_so(found):
    found["cases"]["paced"]["accept_p99_ms"] = 50.0
    judged = verdicts(found)

    assert judged["at 70 % load, accepted, p99"] == ("50.0 ms", "missed")
    assert judged["entries in batches of 1,000 against TPC-B"] == ("2.9 x", "missed")


def test_what_was_not_measured_is_not_reached(found, found_empty):
    found["stored_transfers"] = 1_000_000

    for run in (found, found_empty):
        words = [
            word for what, (_, word) in verdicts(run).items() if "10 million" in what
        ]

        assert words == ["not measured", "not measured"]


def test_memory_that_only_adds_up_shared_pages_is_no_measure_of_it(found):
    del found["memory"]["idle"]["worker"]["pss"]
    judged = verdicts(found)

    assert judged["memory of the idle stack without PostgreSQL and Redis"] == (
        "-",
        "not measured",
    )


def test_a_target_names_its_bound_and_its_aim():
    wanted = {target.what: target.wanted for target in TARGETS}

    assert (
        wanted["single POST, 256 connections, against TPC-B"]
        == "at least 1 x (aim 1.5)"
    )
    assert wanted["a lone request that waits, p50"] == "under 30 ms"
