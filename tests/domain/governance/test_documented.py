"""docs/governance.md names every state, type and parameter there is."""

import re

from domain.governance import types
from domain.governance.lifecycle import State
from domain.governance.parameters import Deed, Parameters
from tests.databases import ROOT

PAGE = (ROOT / "docs" / "governance.md").read_text()


def rows(heading):
    """Return the words in backticks of the first cells of the table below a heading."""
    _, _, below = PAGE.partition(f"| {heading} |")
    table = re.match(r".*?\n\n", below, re.DOTALL)
    cells = re.findall(r"^\| ([^|]+) \|", table[0], re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}


def test_every_state_is_explained_and_is_in_the_picture():
    states = {str(state) for state in State}
    picture = PAGE.partition("```mermaid")[2].partition("```")[0]

    assert rows("state") == states
    assert set(re.findall(r"--> (\w+)", picture)) == states


def test_every_type_that_is_shipped_is_in_the_table(session):
    found = {one.name for one in types.newest(session) if one.changed_by is None}
    # Tests that commit leave types of their own.
    shipped = {name for name in found if not name.startswith("test_")}

    assert rows("type") == shipped


def test_every_parameter_is_explained():
    known = Parameters(about="anything", method="yes-no").describe()

    assert rows("parameter") == known.keys()
    assert all(f"`{deed}`" in PAGE for deed in Deed)
