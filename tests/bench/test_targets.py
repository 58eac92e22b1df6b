"""Whether a run reached what the ledger set out to reach."""

from bench.targets import GOVERNANCE, TARGETS, targets


def verdicts(found):
    return {target.what: target.judge(found) for target in targets(found)}


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


def test_votes_have_targets_of_their_own(found):
    judged = verdicts(found)

    over_http = "open ballots over HTTP against single ledger writes"
    assert judged[over_http] == ("0.9 x", "yes")
    jobs = "tally of 100,000 rankings of 10, {}, a worker's jobs"
    assert judged[jobs.format("Scottish STV")] == ("3.50 s", "missed")
    assert judged[jobs.format("Meek STV")] == ("4.00 s", "yes")
    again = "the result of a counted vote, asked for again, p50"
    assert judged[again] == ("1.0 ms", "yes")


def test_the_longest_count_and_the_largest_process_are_judged(found):
    slow = {"seconds": 9.0, "processor_seconds": 9.0, "memory_mb": 20.0}
    found["governance"]["counts"]["scottish-stv, 3 seats"] = slow
    judged = verdicts(found)

    alone = "the same by Scottish STV, the count alone"
    assert judged[alone] == ("9.00 s", "missed")
    assert judged["memory of a process that counts"] == ("180 MB", "yes")


def test_a_short_run_does_not_measure_the_jobs_of_a_worker(found):
    found["governance"]["jobs"] = {}

    words = [word for what, word in verdicts(found).items() if "worker" in what]
    assert words == [("-", "not measured")] * 3


def test_a_report_from_before_there_were_votes_has_no_targets_of_them(found):
    del found["governance"]

    assert len(verdicts(found)) == len(TARGETS)
    assert not verdicts(found).keys() & {target.what for target in GOVERNANCE}
