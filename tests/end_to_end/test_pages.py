"""The pages of the API in a real browser that can reach nobody but us."""

import pytest

from tests.end_to_end import browser
from tests.end_to_end.browser import Browser
from tests.waiting import eventually

# What shows one operation on each page.
SHOWS = {
    "/docs": ".opblock",
    "/apidocs": ".opblock",
    "/redoc": "[data-section-id*='/operation/']",
}
PAGE_SECONDS = 60
OURS = ("data:", "blob:", "about:")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        browser.program() is None, reason="no Chromium here: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as window:
        yield window


def count(window, selector):
    return window.value(f'document.querySelectorAll("{selector}").length')


def said(window, selector):
    return window.value(f'document.querySelector("{selector}")?.innerText') or ""


def operations(client):
    """Return how many operations the document has."""
    paths = client.get("/openapi.json")["paths"].values()
    return sum(len(item.keys() - {"parameters"}) for item in paths)


@pytest.mark.parametrize("path", SHOWS)
def test_a_page_shows_every_operation_and_asks_nobody_but_us(
    stack, client, window, tmp_path, path
):
    api, expected = stack.endpoints["api"], operations(client)

    window.open(f"{api}{path}")
    eventually(lambda: count(window, SHOWS[path]) == expected, within=PAGE_SECONDS)
    picture = tmp_path / "page.png"
    window.photograph(picture)

    asked = window.requested()
    assert f"{api}/openapi.json" in asked
    assert [url for url in asked if not url.startswith((f"{api}/", *OURS))] == []
    assert window.complaints() == []
    assert picture.stat().st_size > 20_000


def test_a_request_can_be_tried_on_the_page(stack, window):
    health = "[id$='-get_health']"
    window.open(f"{stack.endpoints['api']}/docs")
    for step in (".opblock-summary-control", ".try-out__btn", ".execute"):
        eventually(lambda step=step: count(window, f"{health} {step}") == 1, within=30)
        window.value(f'document.querySelector("{health} {step}").click()')

    eventually(lambda: '"ok"' in said(window, f"{health} .live-responses-table"))
    assert window.complaints() == []


@pytest.mark.parametrize("path", ["/problems", "/problems/insufficient_credits"])
def test_help_is_a_page_of_ours_alone(stack, window, path):
    api = stack.endpoints["api"]

    window.open(f"{api}{path}")
    eventually(lambda: count(window, "h1") == 1)

    assert [url for url in window.requested() if not url.startswith((api, *OURS))] == []
    assert window.complaints() == []


def test_a_page_that_asked_elsewhere_would_be_found_out(stack, window):
    """The lists above can say something."""
    window.open(f"{stack.endpoints['api']}/problems")
    eventually(lambda: count(window, "h1") == 1)

    window.value("new Image().src = 'https://cdn.example.org/logo.png'")

    assert eventually(lambda: window.value("1") and window.complaints())
