"""Who polls is told when there is nothing new, and for how long an answer is good."""

import pytest

from tests.api.calling import make_nonce

SEEN = (
    "/api/system_state",
    "/api/controller_decisions",
    "/api/governance_state",
    "/api/audit_summary",
)
STILL = "/api/governance_state"


@pytest.mark.parametrize("path", SEEN)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_it_is_told_so(node, path, method):
    first = node.get(path)
    tag = first.headers["ETag"]

    again = node.send(method, path, headers={"If-None-Match": f'"other", {tag}'})

    assert (again.status_code, again.content) == (304, b"")
    for name in ("ETag", "Cache-Control"):
        assert again.headers[name] == first.headers[name]
    assert again.headers.get("Vary") == first.headers.get("Vary")


@pytest.mark.parametrize("path", SEEN)
@pytest.mark.parametrize("tag", ['"other"', 'W/"other"', "garbage"])
def test_who_has_something_else_gets_it(node, path, tag):
    assert node.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_a_later_look_at_the_same_has_the_same_tag_and_another_time(node, always_anew):
    first, later = node.get(STILL), node.get(STILL)

    assert first.json["timestamp"] != later.json["timestamp"]
    assert first.headers["ETag"] == later.headers["ETag"]
    # The bytes differ, so it is not said that they were the same.
    assert first.headers["ETag"].startswith("W/")


def test_what_has_changed_has_another_tag(node, caller, always_anew):
    before = node.get("/api/audit_summary").headers["ETag"]
    caller.post("/auth/api-keys", {"scopes": ["ledger:read"], "name": make_nonce()})

    after = node.get("/api/audit_summary", headers={"If-None-Match": before})

    assert after.status_code == 200
    assert after.headers["ETag"] != before


def test_a_limit_has_a_tag_of_its_own(node):
    tags = {
        node.get("/api/audit_summary", params={"limit": limit}).headers["ETag"]
        for limit in ("1", "2")
    }

    assert len(tags) == 2


@pytest.mark.parametrize("path", SEEN)
def test_anybodys_answer_may_be_kept_for_a_second(node, path):
    assert node.get(path).headers["Cache-Control"] == "public, max-age=1"


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/health?x=1"])
def test_what_is_of_the_moment_is_not_kept(node, path):
    headers = node.get(path).headers

    assert headers["Cache-Control"] == "no-store"
    assert "ETag" not in headers
