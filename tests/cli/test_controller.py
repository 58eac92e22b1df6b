"""`coin controller replay`: policies on recorded load, side by side."""

import pytest

BURST = "seconds,arrivals,service_seconds\n600,600,0.5\n60,3000,0.5\n1200,600,0.5\n"


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "burst.csv"
    path.write_text(BURST)
    return path


def lines_of(said):
    """Return each policy's figures, and its chart."""
    _head, *lines = said.stdout.splitlines()
    figures = {line.split()[0]: line.split()[1:] for line in lines[::2]}
    return figures, lines[1::2]


def test_policies_are_set_side_by_side(coin, trace):
    said = coin("controller", "replay", "--trace", trace, "--most", 40)
    figures, charts = lines_of(said)

    assert said.exit_code == 0
    assert figures.keys() == {"age", "classic"}
    assert float(figures["age"][4]) < float(figures["classic"][4])
    assert all(len(chart.split()[0]) == 60 for chart in charts)
    assert "█" in charts[0]


def test_one_policy_can_be_named_and_bounded(coin, trace):
    asked = ("--trace", trace, "--policy", "age", "--least", 2, "--most", 3)

    figures, charts = lines_of(coin("controller", "replay", *asked))

    assert figures.keys() == {"age"}
    assert charts[0].endswith("3 workers at most")


def test_a_bad_trace_is_refused_with_its_line(coin, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("seconds,arrivals,service_seconds\n5,many,1\n")

    said = coin("controller", "replay", "--trace", path)

    assert said.exit_code == 1
    assert "line 2: three numbers are due" in said.stderr
