"""Help for each kind of problem: a page for people, JSON for programs."""

import re
from http import HTTPStatus

import pytest

from api.errors import _CODE_OF_STATUS, STATUS_OF_KIND
from api.problem_types import problem_types
from domain.errors import DomainError
from tests.databases import ROOT

HTML = {"Accept": "text/html"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
RAISED = re.compile(
    r"""(?:Problem|Refused|unavailable|__init__)\(\s*(?:\d{3},\s*)?"(\w+)"
    |"code":\s"(\w+)"
    |'code',\s'(\w+)'
    |^\x20{4}code\s=\s"(\w+)\"""",
    re.VERBOSE | re.MULTILINE,
)


def sources():
    for layer in ("api", "domain", "tasks"):
        for file in (ROOT / layer).rglob("*.py"):
            yield file.relative_to(ROOT), file.read_text()


def codes():
    """Return every code there is in the source."""
    found = {
        code
        for _, source in sources()
        for groups in RAISED.findall(source)
        for code in groups
        if code
    }
    return found | set(_CODE_OF_STATUS.values())


def domain_errors(kind=DomainError):
    for error in kind.__subclasses__():
        if error.__module__.startswith("domain."):
            yield error
            yield from domain_errors(error)


def test_every_code_in_the_source_is_explained_and_no_other():
    assert {"malformed_json", "intake_full", "uri_too_long", "job_expired"} <= codes()

    assert codes() == problem_types().keys(), "api/problems.toml explains each code"


def test_every_domain_error_is_explained_under_the_status_of_its_kind():
    wrong = {
        error.code
        for error in domain_errors()
        if problem_types()[error.code].status != STATUS_OF_KIND[error.kind]
    }

    assert wrong == set()


def test_a_code_is_raised_with_the_status_it_is_explained_under():
    stated = {
        (code, int(status))
        for _, source in sources()
        for status, code in re.findall(
            r'(?:Problem|Refused)\(\s*(\d{3}),\s*"(\w+)"', source
        )
    }
    assert len(stated) > 30

    assert {
        (code, status)
        for code, status in stated
        if problem_types()[code].status != status
    } == set()


@pytest.mark.parametrize("code", problem_types())
def test_a_code_is_explained_in_sentences(code):
    found = problem_types()[code]

    for sentence in (found.what, found.why, found.fix):
        assert re.fullmatch(r"[\"A-Z0-9`].*[.?]", sentence)


@pytest.mark.parametrize("code", problem_types())
def test_a_page_says_what_happened_why_and_what_to_do(stranger, code):
    found = problem_types()[code]

    page = stranger.get(f"/problems/{code}", headers=HTML)
    shown = stranger.get(f"/problems/{code}").json

    assert page.headers["Content-Type"].startswith("text/html")
    assert found.title in page.text
    assert shown == {
        "code": code,
        "status": found.status,
        "type": f"/problems/{code}",
        "what": found.what,
        "why": found.why,
        "fix": found.fix,
        "title": HTTPStatus(found.status).phrase,
    }


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "application/json"),
        ({"Accept": "*/*"}, "application/json"),
        ({"Accept": "application/problem+json"}, "application/json"),
        (HTML, "text/html"),
        (BROWSER, "text/html"),
    ],
)
@pytest.mark.parametrize("path", ["/problems", "/problems/blocked"])
def test_people_get_a_page_and_programs_json(stranger, path, headers, expected):
    answer = stranger.get(path, headers=headers)

    assert answer.headers["Content-Type"].partition(";")[0] == expected
    assert "Accept" in answer.headers["Vary"]


def test_the_list_has_every_problem(stranger):
    listed, page = (
        stranger.get("/problems").json,
        stranger.get("/problems", headers=HTML),
    )

    assert [one["code"] for one in listed["problems"]] == list(problem_types())
    assert all(f'href="/problems/{code}"' in page.text for code in problem_types())


@pytest.mark.parametrize("code", ["no_such_code", "<script>", "..", "%00", "a" * 2000])
def test_what_nobody_explains_is_404_and_not_said_again(stranger, code):
    answer = stranger.get(f"/problems/{code}", headers=HTML)

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert code not in answer.text or code == ".."


def test_what_is_written_in_the_table_cannot_be_markup(stranger, monkeypatch):
    found = problem_types()["blocked"]._replace(why="<script>alert(1)</script> & `so`")
    monkeypatch.setitem(problem_types(), "blocked", found)

    page = stranger.get("/problems/blocked", headers=HTML)

    assert "<script>" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <code>so</code>" in page.text


def test_a_page_runs_nothing_and_asks_nobody_else(stranger):
    page = stranger.get("/problems/blocked", headers=HTML)

    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert {"default-src 'none'", "style-src 'self'"} <= set(
        page.headers["Content-Security-Policy"].split("; ")
    )
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text)


def test_the_table_of_the_tour_has_every_code():
    """docs/api.md: "When it says no"."""
    tour = (ROOT / "docs" / "api.md").read_text()
    rows = re.findall(r"^\| ([\d, ]+) \| ((?:`\w+`(?:, )?)+) \|", tour, re.MULTILINE)
    listed = {
        (code, status)
        for statuses, names in rows
        for code in re.findall(r"`(\w+)`", names)
        for status in statuses.split(", ")
    }
    told = {code for code, _ in listed}

    assert told <= problem_types().keys()
    assert {
        code
        for code, found in problem_types().items()
        if (code, str(found.status)) not in listed
    } == {
        *("conflict", "refused", "invalid", "unavailable", "not_ready"),
    }
