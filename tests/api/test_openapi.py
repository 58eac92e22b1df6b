"""The document that describes the API: whole, valid, and the same as the API."""

import json

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.openapi.document import build
from api.openapi.routes import NotDescribed
from api.openapi.security import requirements
from api.permissions import RULES, Rule
from api.problem_types import problem_types
from cli.openapi import COPY, document, written
from domain.keys import SCOPES
from tests.api.documented import documented, operations
from tests.api.test_methods import ROUTES, fill


def test_every_method_of_every_route_is_described():
    described = {
        (method.upper(), path)
        for path, item in documented()["paths"].items()
        for method in item.keys() - {"parameters"}
    }

    assert described == {
        (method, template.replace(":uuid}", "}"))
        for template, methods in ROUTES.items()
        for method in methods - {"HEAD"}
    }


class Undescribed:
    def on_get(self, req, resp):
        """Do something."""


def test_what_nobody_has_described_is_named_with_what_to_do():
    with pytest.raises(NotDescribed, match=r"GET /new: describe Undescribed.on_get"):
        build({"/new": Undescribed()})


def test_the_document_is_valid():
    errors = OpenAPIV31SpecValidator(documented()).iter_errors()

    assert [error.message for error in errors] == []


def test_the_copy_in_docs_is_of_this_code():
    """`coin openapi` writes it."""
    assert COPY.read_bytes() == written(document())


def test_the_document_is_served_with_its_tag(stranger):
    answer = stranger.get("/openapi.json")
    again = stranger.get(
        "/openapi.json", headers={"If-None-Match": answer.headers["ETag"]}
    )

    assert (answer.status_code, answer.json) == (200, json.loads(COPY.read_bytes()))
    assert (again.status_code, again.content) == (304, b"")


def test_names_for_programs_are_names_and_all_different():
    names = list(operations())

    assert len(names) == len(RULES)
    assert all(name.isidentifier() for name in names)


def someones(described):
    """Return a path of the right shape."""
    templates = {route.replace(":uuid}", "}"): route for route in ROUTES}
    return fill(templates[described.path])


@pytest.mark.parametrize(
    "name", [name for name, one in operations().items() if one.callers]
)
def test_who_may_not_is_refused_as_described(name, stranger, person, new_caller):
    described = operations()[name]

    for caller in (stranger, person, new_caller("jobs:operate")):
        answer = caller.send(described.method, someones(described))
        problem = answer.json if answer.status_code >= 400 else None
        described.assert_described(answer.status_code, answer.headers, problem)


@pytest.mark.parametrize("name", operations())
def test_a_route_asks_for_credentials_where_it_needs_them(name, stranger):
    described = operations()[name]

    answer = stranger.send(described.method, someones(described))

    assert (answer.status_code == 401) is bool(described.callers)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(open=True), []),
        (Rule(), [{"apiKey": []}, {"bearer": []}]),
        (Rule("account"), [{"bearer": ["account"]}]),
        (Rule("ledger:spend", own=False), [{"apiKey": ["ledger:spend"]}]),
        (
            Rule("ledger:read", frozenset({"auditor"})),
            [{"apiKey": ["ledger:read"]}, {"bearer": ["ledger:read"]}],
        ),
    ],
)
def test_who_may_is_said_with_the_scope(rule, expected):
    assert requirements(rule) == expected


def test_every_scope_a_route_asks_for_exists():
    asked = {
        scope
        for described in operations().values()
        for need in described.said["security"]
        for scopes in need.values()
        for scope in scopes
    }

    peoples = {"account", "people:manage"} | {
        f"governance:{deed}" for deed in ("operate", "propose", "veto", "vote")
    }
    assert asked - peoples <= set(SCOPES)


KNOWN = "known here: "


def known_parameters(answer):
    """Return the parameters a 422 says are known; None when all are let pass."""
    if answer.status_code != 422:
        return None
    (detail,) = (e["detail"] for e in answer.json["errors"] if e["pointer"] == "?wrong")
    names = detail.partition(KNOWN)[2].rstrip(".")
    return set() if names == "none" else set(names.split(", "))


@pytest.mark.parametrize(
    "name", [name for name, one in operations().items() if one.method == "GET"]
)
def test_the_parameters_described_are_those_known(name, new_caller, admin):
    described = operations()[name]
    caller = admin if described.callers == {"bearer"} else new_caller()
    path = described.path.replace("{user_id}", admin.id)
    path = someones(described) if path == described.path else path

    known = known_parameters(caller.get(path, params={"wrong": "1"}))

    if known is not None:
        assert known == set(described.parameters("query"))
    else:
        assert described.parameters("query") == {}


def test_the_codes_of_problems_are_those_explained():
    shown = {
        code
        for described in operations().values()
        for codes in described.problems().values()
        for code in codes
    }

    assert shown <= problem_types().keys()
    assert documented()["components"]["examples"].keys() == problem_types().keys()


def test_a_problem_is_described_under_its_own_status():
    wrong = [
        (name, status, code)
        for name, described in operations().items()
        for status, codes in described.problems().items()
        for code in codes
        if str(problem_types()[code].status) != status
    ]

    assert wrong == []


def test_every_kind_of_problem_is_described_somewhere():
    """But those of what never becomes a request of a route."""
    shown = {
        code
        for described in operations().values()
        for codes in described.problems().values()
        for code in codes
    }

    assert problem_types().keys() - shown == {
        *("method_not_allowed", "not_implemented", "unsupported_http_version"),
        # Of the observability node, which has no document of its own.
        "invalid_query",
        # What a status is called where nobody has said more.
        *("conflict", "refused", "invalid", "unavailable", "lease_expired"),
    }
