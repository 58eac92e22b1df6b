"""`coin controller replay`: policies on recorded load, side by side."""

import sys

import pytest

BURST = "seconds,arrivals,service_seconds\n600,600,0.5\n60,3000,0.5\n1200,600,0.5\n"
PNG = b"\x89PNG\r\n\x1a\n"
COLUMNS = ("p50", "p95", "p99", "late", "paid", "ideal", "cost", "actions", "turns")


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "burst.csv"
    path.write_text(BURST)
    return path


def figures_of(said):
    """Return each policy's figures by their column, and its chart."""
    _head, *lines, _legend = said.stdout.splitlines()
    figures = {}
    for line in lines[::2]:
        name, *cells = line.replace(" s ", "s ").replace(",", "").split()
        values = [float(cell.rstrip("s%")) for cell in cells]
        figures[name] = dict(zip(COLUMNS, values, strict=True))
    return figures, lines[1::2]


def test_policies_are_set_side_by_side(coin, trace):
    said = coin("controller", "replay", "--trace", trace, "--most", 40)
    figures, charts = figures_of(said)

    assert said.exit_code == 0
    assert figures.keys() == {"age", "classic"}
    assert figures["age"]["p99"] < figures["classic"]["p99"]
    assert figures["age"]["late"] < figures["classic"]["late"]
    assert all(len(chart.split()[0]) == 60 for chart in charts)
    assert "█" in charts[0]


def test_what_is_paid_is_set_against_the_ideal(coin, trace):
    said = coin("controller", "replay", "--trace", trace, "--most", 40)
    age = figures_of(said)[0]["age"]

    assert age["ideal"] == pytest.approx(4_200 * 0.5, rel=0.05)
    assert age["cost"] == pytest.approx(age["paid"] / age["ideal"], abs=0.01)
    assert "paid and ideal: seconds of workers and of work" in said.stdout


def test_one_policy_can_be_named_and_bounded(coin, trace):
    asked = ("--trace", trace, "--policy", "age", "--least", 2, "--most", 3)

    figures, charts = figures_of(coin("controller", "replay", *asked))

    assert figures.keys() == {"age"}
    assert charts[0].endswith("3 workers at most")


def test_what_is_not_given_is_as_the_group_has_it(coin, trace):
    """Eight workers at most; mail may wait for ten seconds, the ledger for two."""
    asked = ("controller", "replay", "--trace", trace, "--policy", "age")
    ledger, mail = coin(*asked), coin(*asked, "--group", "outbound")

    assert figures_of(ledger)[1][0].endswith("8 workers at most")
    assert "longer than 2 s" in ledger.stdout
    assert "longer than 10 s" in mail.stdout


def test_a_bad_trace_is_refused_with_its_line(coin, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("seconds,arrivals,service_seconds\n5,many,1\n")

    said = coin("controller", "replay", "--trace", path)

    assert said.exit_code == 1
    assert "line 2: three numbers are due" in said.stderr


def test_a_trace_of_a_second_is_one_too(coin, tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("seconds,arrivals,service_seconds\n1,9,0.1\n")

    said = coin("controller", "replay", "--trace", path)

    assert said.exit_code == 0
    assert figures_of(said)[0]["age"]["actions"] == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "one of --trace and --last"),
        (("--trace", "burst.csv", "--last", "1h"), "one of --trace and --last"),
        (("--last", "yesterday"), "'yesterday' is not such as"),
        (("--trace", "burst.csv", "--least", 5, "--most", 4), "--least 5 is more"),
        (("--trace", "burst.csv", "--group", "printers"), "'printers' is not one of"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(coin, trace, asked, said):
    refused = coin("controller", "replay", *asked)

    assert refused.exit_code == 2
    assert said in refused.stderr


def test_more_jobs_than_can_be_replayed_in_time_are_refused(coin, tmp_path):
    path = tmp_path / "flood.csv"
    path.write_text("seconds,arrivals,service_seconds\n3600,9000000,0.1\n")

    said = coin("controller", "replay", "--trace", path)

    assert said.exit_code == 1
    assert "9,000,000 jobs" in said.stderr


def test_a_picture_is_drawn_of_it(coin, trace, tmp_path):
    path = tmp_path / "burst.png"

    said = coin("controller", "replay", "--trace", trace, "--png", path)

    assert said.exit_code == 0
    assert path.read_bytes().startswith(PNG)


def test_whoever_cannot_draw_is_told_what_to_install(coin, trace, monkeypatch):
    monkeypatch.delitem(sys.modules, "cli.controller_chart", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    said = coin("controller", "replay", "--trace", trace, "--png", "burst.png")

    assert said.exit_code == 1
    assert "pip install 'matplotlib>=3.10'" in said.stderr
    assert said.stdout == "", "it is said before anybody has waited"
