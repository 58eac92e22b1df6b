"""The page and its charts."""

import re
from xml.etree import ElementTree as ET

from bench import charts, page

FILE_BYTES_MAX = 60_000
ALL = list(charts.CHARTS)


def test_the_page_names_the_run_and_the_command_that_makes_it(found):
    text = page.markdown(found, ALL)

    assert "`make bench STORED=10`" in text
    assert "abc1234" in text
    assert "PostgreSQL 18.4" in text
    assert "`fsync=on`" in text
    assert "None" not in text


def test_the_page_says_what_was_missed(found):
    text = page.markdown(found, ALL)

    assert (
        "| entries in batches of 1,000 against TPC-B | at least 3 x (aim 6) "
        "| 2.9 x | missed |"
    ) in text


def test_every_row_of_a_table_has_its_columns(found):
    for block in page.markdown(found, ALL).split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1


def test_every_chart_drawn_is_on_the_page_and_no_other(found, tmp_path):
    written = page.write(found, tmp_path)
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", written.read_text())
    drawn = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.svg")]

    assert sorted(shown) == sorted(drawn)
    assert len(drawn) == len(ALL)


def test_charts_of_full_books_need_full_books(found_empty, tmp_path):
    drawn = charts.draw(found_empty, tmp_path)

    assert charts.CHARTS.keys() - set(drawn) == {"growth", "claims"}


def test_charts_are_small_text_and_the_same_bytes_for_the_same_figures(found, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    charts.draw(found, first)
    charts.draw(found, second)

    for path in first.iterdir():
        texts = ET.parse(path).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314
        assert any(text.text for text in texts)
        assert path.stat().st_size < FILE_BYTES_MAX
        assert path.read_bytes() == (second / path.name).read_bytes()
