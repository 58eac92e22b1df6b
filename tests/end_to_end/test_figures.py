"""The API's figures, whichever of its processes tells them."""

from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

REQUESTS = 40
LOOKS = 10


def ask(stack, path):
    """Return the text of an answer, on a connection that any process may take."""
    connection = HTTPConnection(urlsplit(stack.endpoints["api"]).netloc, timeout=10)
    with closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def answered(stack, route):
    """Return how many requests for a route were answered."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(ask(stack, "/metrics"))
        for sample in family.samples
        if sample.name == "coin_http_request_seconds_count"
        and sample.labels["route"] == route
    )


def test_every_process_tells_the_figures_of_all(stack):
    before = answered(stack, "/problems/{code}")
    for _ in range(REQUESTS):
        ask(stack, "/problems/too_deep")

    told = {answered(stack, "/problems/{code}") - before for _ in range(LOOKS)}

    assert told == {REQUESTS}
