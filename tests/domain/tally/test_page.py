"""What docs/tally.md says of lots and of the methods is so."""

import re
from contextlib import redirect_stdout
from io import StringIO

from domain.tally import METHODS, Election, count, from_rankings
from tests.databases import ROOT

PAGE = (ROOT / "docs" / "tally.md").read_text()


def test_the_lot_it_draws_comes_out_as_printed_and_as_counted():
    code, printed = re.search(
        r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE, re.DOTALL
    ).groups()
    names, out = {}, StringIO()
    with redirect_stdout(out):
        exec(code, names)  # noqa: S102

    assert out.getvalue() == printed
    election = Election(method="single-choice", options=("ada", "ben", "cat"))
    rankings = {("ada",): 4, ("ben",): 4, ("cat",): 4}
    result = count(election, from_rankings("single-choice", rankings), names["seed"])
    assert result["lots"]["commitment"].startswith(printed.split()[1])
    assert result["elected"] == [printed.splitlines()[1].split()[1]]
    assert result["ties"][0]["tickets"] == names["tickets"]


def test_it_has_a_row_for_every_method():
    methods = PAGE.partition("## The methods")[2].partition("##")[0]

    assert re.findall(r"^\| `([a-z-]+)` \|", methods, re.MULTILINE) == list(METHODS)
