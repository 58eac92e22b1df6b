"""Conventions, row "lists": pages of bounded size, both ways, by opaque cursors."""

import base64
import json
import re

import pytest

from tests.api.calling import operation
from tests.factories import make_owner

JOBS = 7


@pytest.fixture
def lister(new_caller):
    """One with seven jobs of its own."""
    lister = new_caller("ledger:read", "ledger:spend", "ledger:credit")
    for _ in range(JOBS):
        lister.post("/ledger", operation(make_owner()))
    return lister


def ids(answer):
    return [job["id"] for job in answer.json["jobs"]]


def walk(lister, first, relation):
    """Return the pages from one on, following links."""
    pages = [lister.get(first)]
    while target := pages[-1].json[relation]:
        pages.append(lister.get(target))
    return pages


def link_headers(answer):
    """Return the targets of RFC 8288 links by relation."""
    found = re.findall(r'<([^>]*)>; rel="?(\w+)"?', answer.headers.get("Link", ""))
    return {relation: target for target, relation in found}


def test_a_page_has_fifty_items_unless_told(lister, api_sessions):
    for _ in range(51 - JOBS):
        lister.post("/ledger", operation(make_owner()))

    assert len(ids(lister.get("/jobs"))) == 50


def test_pages_are_followed_to_the_end_without_gap_or_repeat(lister):
    everything = ids(lister.get("/jobs"))

    pages = walk(lister, "/jobs?limit=3", "next")

    assert [len(ids(page)) for page in pages] == [3, 3, 1]
    assert [one for page in pages for one in ids(page)] == everything


def test_pages_are_followed_back_to_the_beginning(lister):
    pages = walk(lister, "/jobs?limit=3", "next")

    back = walk(lister, pages[-2].json["next"], "prev")

    assert [ids(page) for page in back] == [ids(page) for page in pages[::-1]]


def test_the_first_page_has_no_page_before_and_the_last_none_after(lister):
    pages = walk(lister, "/jobs?limit=3", "next")

    assert pages[0].json["prev"] is None
    assert pages[-1].json["next"] is None


def test_links_are_in_the_header_too(lister):
    """RFC 8288 §3: Link, with the relations next and prev of RFC 5005."""
    pages = walk(lister, "/jobs?limit=3", "next")

    for page in pages:
        in_body = {name: page.json[name] for name in ("next", "prev")}
        assert link_headers(page) == {k: v for k, v in in_body.items() if v}


def test_links_keep_the_filters(lister):
    lister.delete(f"/jobs/{ids(lister.get('/jobs'))[0]}")

    pages = walk(
        lister, "/jobs?limit=2&state=queued&kind=ledger.post_operation", "next"
    )

    assert sum(len(ids(page)) for page in pages) == JOBS - 1


def test_a_page_is_stable_while_the_list_grows(lister):
    first = lister.get("/jobs?limit=3")
    expected = ids(lister.get(first.json["next"]))

    lister.post("/ledger", operation(make_owner()))

    assert ids(lister.get(first.json["next"])) == expected


def test_what_came_meanwhile_is_on_the_page_before(lister):
    first = lister.get("/jobs?limit=3")
    second = lister.get(first.json["next"])
    newest = lister.post("/ledger", operation(make_owner())).json["id"]

    back = walk(lister, second.json["prev"], "prev")

    assert newest in [one for page in back for one in ids(page)]


def test_an_empty_list_is_an_empty_page(new_caller):
    answer = new_caller("ledger:read").get("/jobs")

    assert answer.json == {"jobs": [], "next": None, "prev": None}


@pytest.mark.parametrize("path", ["/jobs", "/ledger/someone/entries"])
@pytest.mark.parametrize(
    "limit", ["0", "-1", "201", "x", "", "1.0", "1e2", "²", "9" * 5_000, "0x10", "+5"]
)
def test_a_bad_limit_is_422(caller, path, limit):
    answer = caller.get(path, params={"limit": limit})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "?limit")


@pytest.mark.parametrize("limit", ["1", "200"])
def test_the_least_and_the_greatest_limit_are_accepted(caller, limit):
    answer = caller.get("/jobs", params={"limit": limit})

    assert answer.status_code == 200


def cursor(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize("path", ["/jobs", "/ledger/someone/entries"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "====",
        "é",
        "\0",
        "A" * 5_000,
        cursor(5),
        cursor([]),
        cursor([None, 0]),
        cursor(["x", 0]),
        cursor([[], 0]),
        cursor([1.5, 0]),
        cursor([True, 0]),
        cursor([-1, 0]),
        cursor([2**63, 0]),
        cursor([10**30, 0]),
        cursor({"a": 1, "b": 2}),
        cursor([1, 0, 2]),
    ],
)
def test_a_cursor_nobody_gave_is_422(caller, path, text):
    answer = caller.get(path, params={"cursor": text})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (
        422,
        "?cursor",
    )


def test_a_cursor_of_another_list_is_422(lister, caller, worker):
    owner = make_owner()
    caller.fund(owner, times=3)
    of_jobs = lister.get("/jobs?limit=1").json["next"].partition("?")[2]
    of_entries = caller.get(f"/ledger/{owner}/entries?limit=1")
    of_entries = of_entries.json["next"].partition("?")[2]

    answers = [
        caller.get(f"/ledger/{owner}/entries", query_string=of_jobs),
        lister.get("/jobs", query_string=of_entries),
    ]

    assert [answer.status_code for answer in answers] == [422, 422]


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("/jobs", "sort=asc", "?sort"),
        ("/jobs", "limit=1&limit=2", "?limit"),
        ("/jobs", "state=queued&state=failed", "?state"),
        ("/ledger/someone", "limit=1", "?limit"),
        ("/ledger/someone/entries", "a%2Fb=1", "?a/b"),
    ],
)
def test_a_parameter_unknown_or_given_twice_is_422(caller, path, query, pointer):
    answer = caller.get(path, query_string=query)

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)


def test_a_list_does_not_carry_what_became_of_its_jobs(new_caller, worker):
    """Two hundred batches of five thousand outcomes would be a hundred megabytes."""
    lister = new_caller("ledger:spend", "ledger:credit")
    entries = [operation(make_owner()) for _ in range(1_000)]
    lister.done("/ledger/batches", {"entries": entries})
    lister.done("/ledger", operation(make_owner(), "CREDIT_SPEND"))

    listed = lister.get("/jobs")

    refused, batch = listed.json["jobs"]
    assert (refused["state"], batch["state"]) == ("refused", "succeeded")
    assert set(batch) == set(refused) == set(batch) - {"result", "problem"}
    assert len(listed.content) < 5_000


def test_what_became_of_a_listed_job_is_where_its_link_leads(new_caller, worker):
    lister = new_caller("ledger:spend", "ledger:credit")
    lister.done("/ledger", operation(make_owner()))

    [job] = lister.get("/jobs").json["jobs"]

    assert lister.get(job["links"]["self"]).json["result"]["balance"] == 10
