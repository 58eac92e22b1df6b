"""What docs/api.md says of the API is so: its routes are those there are."""

import re

from cli.openapi import document
from tests.databases import ROOT

TOUR = (ROOT / "docs" / "api.md").read_text()
METHODS = {"get", "post", "put", "patch", "delete"}
# Parts of pages, for nobody to ask for.
UNTOLD = {("GET", "/assets/{}/{}")}


def bare(path):
    """Return a path whatever its parameters are called."""
    return re.sub(r"\{\w+\}", "{}", path)


def told(cell):
    """Yield the routes of a cell such as GET, DELETE `/a`, `/b`; POST `/c`."""
    methods, before = [], None
    for method, path in re.findall(r"\b([A-Z]{3,6})\b|`(/[^`]*)`", cell):
        if method:
            methods = [method] if before == "path" else [*methods, method]
        else:
            yield from ((one, bare(path)) for one in methods)
        before = "method" if method else "path"


def test_the_routes_of_its_tables_are_those_there_are():
    cells = re.findall(r"^\| ((?:GET|POST|PATCH|DELETE).*?) \|", TOUR, re.MULTILINE)

    assert {route for cell in cells for route in told(cell)} == {
        (method.upper(), bare(path))
        for path, item in document()["paths"].items()
        for method in item.keys() & METHODS
    } - UNTOLD
