"""Trace files: what was measured can be replayed, and a bad file says where."""

import pytest

from controller.traces import BadTrace, Span, read, write
from tests.controller.load import tick


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "trace.csv"
    ticks = [tick(5, rate=20, service=0.25), tick(10, rate=0), tick(15, rate=4)]

    write(path, ticks, service_seconds=0.1)

    assert read(path) == [
        Span(seconds=5, rate=20, service=0.25),
        Span(seconds=5, rate=0, service=0.25),
        Span(seconds=5, rate=4, service=0.2),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seconds,arrivals\n1,2\n", "no column service_seconds"),
        ("seconds,arrivals,service_seconds\n5,ten,1\n", "line 2: three numbers"),
        ("seconds,arrivals,service_seconds\n5,1\n", "line 2: three numbers"),
        ("seconds,arrivals,service_seconds\n5,1,1\n0,1,1\n", "line 3: seconds and"),
        ("seconds,arrivals,service_seconds\n5,nan,1\n", "line 2: seconds and"),
        ("", "no column"),
    ],
)
def test_a_bad_file_says_where_and_why(tmp_path, text, said):
    path = tmp_path / "trace.csv"
    path.write_text(text)

    with pytest.raises(BadTrace, match=said):
        read(path)
