"""The document: every route with its parameters, answers, problems and examples."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from apispec import APISpec
from marshmallow import Schema

from api.bodies import OperationEntry, TransferEntry
from api.media import JSON
from api.openapi import headers, refusals, schemas, security
from api.openapi.describing import Content
from api.openapi.parameters import HEADERS, QUERY, Parameter, in_path
from api.openapi.routes import Route, routes
from api.openapi.tags import TAGS, tag_of
from api.shapes.ledger import Published, Written
from api.shapes.problems import Problem

VERSION: Final = "3.1.0"

_ABOUT: Final = """\
A civic ledger and governance backend. A write is answered 202 with a job, or with its
outcome when you send `Prefer: wait=10`; a `nonce` makes it safe to send again.

Every error is `application/problem+json` with a `code`; `/problems` explains each. HEAD
answers wherever GET does, and OPTIONS everywhere. Any answer may carry `Cache-Control`,
`Vary`, `traceparent` and the headers that keep browsers safe, which are not repeated
below.
"""

_OF_EVERY_PATH: Final = ("X-Request-ID", "traceparent")
_SIGNED: Final = ("Content-Digest", "Signature-Input", "Signature")


def build(resources: Mapping[str, object]) -> dict[str, Any]:
    """Return the document of these resources, each at its path."""
    spec = APISpec(
        title="The People's Coin",
        version=version("peoples-coin"),
        openapi_version=VERSION,
        plugins=[schemas.plugin()],
        info={"description": _ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
        tags=[{"name": name, "description": about} for name, about in TAGS.items()],
        servers=[{"url": "/"}],
    )
    _add_components(spec)
    for route in routes(resources):
        fields = (in_path(name, kind) for name, kind in route.fields)
        own = [field.described("path", required=True) for field in fields]
        operations = {route.method.lower(): _operation(spec, route)}
        # The last are among the components, and so go by their names.
        parameters: list[Any] = [*own, *_OF_EVERY_PATH]
        spec.path(path=route.path, operations=operations, parameters=parameters)
    document: dict[str, Any] = spec.to_dict()
    return document


def _add_components(spec: APISpec) -> None:
    for name, scheme in security.schemes():
        spec.components.security_scheme(name, scheme)
    for name in _OF_EVERY_PATH:
        said = HEADERS[name].described("header")
        spec.components.parameter(name, "header", said)
    for name, header in headers.components():
        spec.components.header(name, header)
    for code, example in refusals.examples():
        spec.components.example(code, example)
    # Parts of what is described, and none of them whole.
    for schema in (Problem, OperationEntry, TransferEntry, Written, Published):
        spec.components.schema(schema.__name__, schema=schema)


def _operation(spec: APISpec, route: Route) -> dict[str, Any]:
    description = route.description
    summary, _, more = route.about.partition("\n")
    needed = (
        {} if description.body is None else {"requestBody": _body(description.body)}
    )
    return {
        "tags": [tag_of(route.path)],
        "operationId": route.name,
        "summary": summary.rstrip("."),
        "description": "\n\n".join(
            filter(None, [_text(more), security.words(route.rule)])
        ),
        "security": security.requirements(route.rule),
        "parameters": list(_parameters(route)),
        **needed,
        "responses": {**dict(_answers(route)), **refusals.responses(spec, route)},
    }


def _text(lines: str) -> str:
    return " ".join(lines.split())


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    description = route.description
    for given in description.query or ():
        parameter = given if isinstance(given, Parameter) else QUERY[given]
        yield parameter.described("query")
    names = list(description.takes)
    if description.submits:
        names += ["Prefer", "Idempotency-Key"]
    if "signature_required" in description.refuses:
        names += _SIGNED
    if description.tagged and route.method == "GET":
        names.append("If-None-Match")
    yield from (HEADERS[name].described("header") for name in names)
    if description.edits:
        yield HEADERS["If-Match"].described("header", required=True)


def _body(body: Content) -> dict[str, Any]:
    return {"required": True, "content": _content(body)}


def _answers(route: Route) -> Iterator[tuple[str, dict[str, Any]]]:
    description = route.description
    for status, content in description.answers.items():
        shown = {} if content is None else {"content": _content(content)}
        said = {"description": HTTPStatus(status).phrase, **shown}
        yield str(status), {**said, "headers": headers.of_answer(route, status)}
    if description.tagged and route.method == "GET":
        said = {"description": "It is what you have already."}
        yield "304", {**said, "headers": headers.of_answer(route, 304)}


def _content(content: Content) -> dict[str, Any]:
    """Return what there is of each media type, with an example."""
    kinds = content if isinstance(content, Mapping) else {JSON: content}
    return {media: _media(kind) for media, kind in kinds.items()}


def _media(kind: Any) -> dict[str, Any]:
    if isinstance(kind, type) and issubclass(kind, Schema):
        return {"schema": kind, "example": schemas.example_of(kind)}
    if isinstance(kind, Mapping):
        return dict(kind)
    # Text, of which an example says more than any schema.
    return {"schema": {"type": "string"}, "example": kind}
