"""A run as tables, and its figures."""

from bench import report
from bench.cases import medians, quantiles
from bench.tables import tables


def rows(found, name):
    """Return a table's rows by their first column."""
    (table,) = (table for table in tables(found) if table.name == name)
    return {row[0]: row[1:] for row in table.rows}


def test_quantiles_are_of_the_sorted_series_in_milliseconds():
    series = [number / 1e3 for number in reversed(range(1_000))]

    assert quantiles("accept", series) == {
        "accept_p50_ms": 500.0,
        "accept_p90_ms": 900.0,
        "accept_p95_ms": 950.0,
        "accept_p99_ms": 990.0,
        "accept_p99.9_ms": 999.0,
    }


def test_medians_are_each_figures_own():
    rounds = [{"a": 1.0, "b": 9.0}, {"a": 3.0, "b": 7.0}, {"a": 2.0, "b": 8.0}]

    assert medians(rounds) == {"a": 2.0, "b": 8.0}


def test_throughput_is_told_in_times_the_calibration(found):
    row = rows(found, "throughput")["single POST, 256 connections"]

    assert row[:2] == ("1,200", "1.20")


def test_memory_leaves_the_servers_out_of_its_sum(found):
    assert rows(found, "memory")["without the servers"] == ("180", "270", "180", "270")


def test_storage_is_summed_with_and_without_the_job(found):
    stored = rows(found, "storage")

    assert stored["the transfer"] == ("", "210")
    assert stored["with its job"] == ("", "1110")


def test_full_books_are_held_against_empty_ones(found):
    grown = rows(found, "growth")

    assert grown["single POST, 256 connections"] == ("1,200 /s", "1,080 /s", "0.90")
    assert grown["accepted, p50"] == ("10.0 ms", "10.0 ms", "1.00")


def test_claims_before_stand_beside_claims_after(found):
    claimed = rows(found, "claims")

    assert claimed["claim of 500, median"] == ("2.00 ms", "6.00 ms")
    assert claimed["jobs_pkey"] == ("1.0 MB", "3.0 MB")
    assert claimed["autovacuums"] == ("1", "3")


def test_ballots_are_told_in_times_the_ledgers_single_writes(found):
    cast = rows(found, "voting")

    assert cast["single ledger writes"][:2] == ("4,000", "1.00")
    assert cast["open ballots"] == ("3,600", "0.90", "10.0", "40.0")
    assert cast["a counted result, read again"] == ("", "", "1.0", "4.0")


def test_a_count_alone_stands_beside_the_jobs_of_a_worker(found):
    counted = rows(found, "counting")

    assert counted["yes-no, the count alone"] == ("2.00", "1.50", "130")
    assert counted["scottish-stv, a worker's jobs"] == ("3.50", "1.50", "180")


def test_a_run_from_before_there_were_votes_has_no_tables_of_them(found):
    del found["governance"]

    assert not {"voting", "counting"} & {table.name for table in tables(found)}


def test_a_run_without_full_books_has_no_tables_of_them(found_empty):
    assert not {"growth", "claims"} & {table.name for table in tables(found_empty)}


def test_the_terminal_shows_every_table_in_columns(found):
    lines = report.table(found).splitlines()

    assert {table.title for table in tables(found)} <= set(lines)
    head = lines.index("Owners") + 1
    assert lines[head : head + 3] == [
        "owners  a second  x 1,000",
        "2          1,002     0.50",
        "10         1,010     0.51",
    ]
