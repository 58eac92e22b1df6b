"""Which problems a route may answer: its own, and by rule those of all of its kind."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from apispec import APISpec

from api.errors import PROBLEM_JSON
from api.limits import LIVENESS
from api.media import FORM
from api.openapi import headers
from api.openapi.routes import Route
from api.problem_types import ProblemType, problem_types
from api.shapes.problems import Problem, example_of

# Found before anybody has looked where a request goes.
_OF_HTTP: Final = (
    *("malformed_request", "request_timeout", "uri_too_long", "head_too_large"),
    "internal_error",
)
_OF_BODY: Final = (
    *("body_cut_short", "body_too_large", "unsupported_media_type"),
    *("unsupported_content_encoding", "duplicate_name", "invalid_body"),
)
_OF_JSON: Final = ("malformed_json", "too_deep")
_OF_FORM: Final = ("malformed_form",)
_OF_CALLERS: Final = (
    *("two_credentials", "unauthenticated", "invalid_token", "missing_scope"),
    "forbidden",
)
_OF_EDITS: Final = ("precondition_failed", "precondition_required")
_OF_JOBS: Final = (
    *("invalid_idempotency_key", "idempotency_key_mismatch", "idempotency_key_reused"),
    *("intake_full", "not_yet_stored", "job_cancelled", "job_failed", "job_expired"),
)


def codes_of(route: Route) -> Iterator[str]:
    """Yield the codes of every problem a route may answer, some twice."""
    description = route.description
    yield from _OF_HTTP
    if route.path != LIVENESS:
        yield from ("blocked", "rate_limited", "database_unavailable")
    if not route.rule.open:
        yield from _OF_CALLERS
    if description.body is not None:
        form = isinstance(description.body, Mapping) and FORM in description.body
        yield from (*_OF_BODY, *(_OF_FORM if form else _OF_JSON))
    if description.query is not None:
        yield "invalid_body"
    if route.fields:
        yield "not_found"
    if description.edits:
        yield from _OF_EDITS
    if description.submits:
        yield from _OF_JOBS
    yield from description.refuses


def responses(spec: APISpec, route: Route) -> dict[str, Any]:
    """Return a response for each status of these problems, each by its name.

    Many routes answer the same ones: they are described once, among the components.
    """
    by_status: dict[int, dict[str, ProblemType]] = {}
    for code in codes_of(route):
        found = problem_types()[code]
        by_status.setdefault(found.status, {})[code] = found
    submits = route.description.submits
    return {
        str(status): _named(spec, status, by_status[status], submits=submits)
        for status in sorted(by_status)
    }


def _named(
    spec: APISpec, status: int, types: Mapping[str, ProblemType], *, submits: bool
) -> str:
    name = "-".join([str(status), *types, *(["job"] if submits else [])])
    if name not in spec.components.responses:
        response = _response(status, types, submits=submits)
        spec.components.response(name, response)
    return name


def _response(
    status: int, types: Mapping[str, ProblemType], *, submits: bool
) -> dict[str, Any]:
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in types}
    return {
        "description": "; ".join(f"`{code}`" for code in types),
        "headers": headers.of_problem(status, submits=submits),
        "content": {PROBLEM_JSON: {"schema": Problem, "examples": examples}},
    }


def examples() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield an example of every problem by its code, as OpenAPI has it."""
    for code, found in problem_types().items():
        value = example_of(code, found.status, found.title, found.what)
        yield code, {"summary": found.what, "value": value}
