"""What may be asked: a look, by GET or HEAD, of what there is."""

import json

import falcon
import pytest

from tests.api.calling import PROBLEM

PATHS = (
    "/health",
    "/api/system_state",
    "/api/controller_decisions",
    "/api/governance_state",
    "/api/audit_summary",
)
NOWHERE = ("/", "/metrics", "/ledger", "/api/audit/events", "/api/system_state/x")
LISTS = ("/api/controller_decisions", "/api/audit_summary")
# Beside them Falcon knows a word of its own, which is no method.
OTHERS = sorted({*falcon.COMBINED_METHODS, "BREW"} - {"GET", "HEAD", "WEBSOCKET"})
# Of every answer, and differing from one to the next.
PASSING = {"x-request-id"}


@pytest.mark.parametrize("path", [*PATHS, *NOWHERE, "*"])
def test_every_other_method_is_refused_on_every_path(node, path):
    assert {"OPTIONS", "POST", "PATCH", "DELETE", "TRACE"} <= set(OTHERS)
    for method in OTHERS:
        answer = node.raw(method, path)

        assert answer.status_code == 405, method
        assert answer.headers["Allow"] == "GET, HEAD"
        assert answer.headers["Content-Type"] == PROBLEM
        said = json.loads(answer.content)
        assert said["error"] == "Method Not Allowed"
        assert isinstance(said["message"], str)
        assert (said["code"], said["status"]) == ("method_not_allowed", 405)


def test_a_method_that_changes_is_not_smuggled_in_a_header(node):
    answer = node.get("/health", headers={"X-HTTP-Method-Override": "DELETE"})

    assert answer.json["status"] == "ok"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", NOWHERE)
def test_what_is_not_there_is_404_in_json(node, method, path):
    answer = node.send(method, path)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == PROBLEM
    if method == "GET":
        assert (answer.json["code"], answer.json["status"]) == ("not_found", 404)


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/health?x=1"])
def test_head_says_what_get_would_and_has_no_body(node, path):
    got, head = node.get(path), node.send("HEAD", path)

    assert head.content == b""
    assert head.status_code == got.status_code

    def kept(answer):
        return {k: v for k, v in answer.headers.items() if k not in PASSING}

    if path.startswith(("/health", "/nowhere")):
        # The seconds it is up, the request's own id: as long, not the same.
        assert kept(head).keys() == kept(got).keys()
    else:
        assert kept(head) == kept(got)


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "limit", ["0", "-1", "101", "abc", "", "1.5", "1e1", "+1", "٣", "9" * 30]
)
def test_a_limit_that_is_none_is_400_and_says_what_is(node, path, limit):
    answer = node.get(path, params={"limit": limit})

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_query")
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.json["errors"] == [
        {"pointer": "?limit", "detail": "A whole number from 1 to 100."}
    ]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", ["1", "10", "100"])
def test_a_limit_within_bounds_is_told_again(node, path, limit):
    answer = node.get(path, params={"limit": limit}).json

    assert answer["limit"] == int(limit)
    assert answer["count"] <= answer["limit"]


@pytest.mark.parametrize("path", PATHS)
def test_a_parameter_that_means_nothing_is_400(node, path):
    answer = node.get(path, query_string="verbose=1")

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_query")


@pytest.mark.parametrize("path", LISTS)
def test_a_limit_given_twice_is_400(node, path):
    assert node.get(path, query_string="limit=1&limit=2").status_code == 400


@pytest.mark.parametrize("path", PATHS)
def test_a_trailing_slash_is_the_same_address(node, path):
    assert node.get(f"{path}/").status_code == 200


@pytest.mark.parametrize("path", [*PATHS, *NOWHERE])
def test_every_answer_has_an_id_and_is_what_it_says(node, path):
    headers = node.get(path).headers

    assert headers["X-Request-ID"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
