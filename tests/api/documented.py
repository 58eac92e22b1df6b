"""The document of the API as tests read it: its operations, one by one."""

from functools import cache, reduce

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from api.openapi.headers import ALWAYS
from cli.openapi import document

METHODS = {"get", "post", "put", "patch", "delete"}
_WHOLE = "urn:document"


@cache
def documented():
    """Return the document of this code."""
    return document()


def resolve(node):
    """Return what a node is, or what it refers to."""
    if "$ref" not in node:
        return node
    return reduce(dict.__getitem__, node["$ref"].split("/")[1:], documented())


class Operation:
    """A method of a path, as it is described."""

    def __init__(self, path, method, said):
        self.path = path
        self.method = method.upper()
        self.said = said
        self.name = said["operationId"]

    def parameters(self, place):
        """Return those of the path, the query or the header, by name."""
        given = [*documented()["paths"][self.path]["parameters"]]
        found = map(resolve, [*given, *self.said["parameters"]])
        return {one["name"]: one for one in found if one["in"] == place}

    @property
    def callers(self):
        """Return the ways to say who asks; none when nobody need."""
        return {scheme for need in self.said["security"] for scheme in need}

    @property
    def submits(self):
        return "Idempotency-Key" in self.parameters("header")

    def example(self):
        """Return the media type and the example of a body, if it takes one."""
        content = self.said.get("requestBody", {}).get("content")
        if content is None:
            return None, None
        media, said = next(iter(content.items()))
        return media, said["example"]

    def answer(self, status):
        """Return what is said of an answer."""
        return self.answers[str(status)]

    @property
    def answers(self):
        """Return what is said of every answer, by status."""
        said = self.said["responses"].items()
        return {status: resolve(answer) for status, answer in said}

    def assert_described(self, status, headers, body):
        """Fail unless an answer has the headers described, and is no other problem."""
        said = self.answer(status)
        known = {name.lower() for name in (*said["headers"], *ALWAYS)}
        assert {name.lower() for name in headers} <= known
        if status >= 400:
            assert body["code"] in self.problems()[str(status)]

    def problems(self):
        """Return the codes of problems by status."""
        return {
            status: set(answer["content"]["application/problem+json"]["examples"])
            for status, answer in self.answers.items()
            if "application/problem+json" in answer.get("content", {})
        }


@cache
def operations():
    """Return every operation by its name."""
    found = [
        Operation(path, method, said)
        for path, item in documented()["paths"].items()
        for method, said in item.items()
        if method in METHODS
    ]
    return {one.name: one for one in found}


def faults(schema, value, *, closed=False):
    """Return what is wrong with a value by a schema of the document.

    `closed`: a member nobody has described is wrong, too.
    """
    whole = _closed(documented()) if closed else documented()
    registry = Registry().with_resource(_WHOLE, DRAFT202012.create_resource(whole))
    validator = Draft202012Validator(
        _absolute(_closed(schema) if closed else schema),
        registry=registry,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    found = validator.iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def _absolute(node):
    """Return a schema whose references say of what they are."""
    if isinstance(node, dict):
        return {
            key: _WHOLE + value if key == "$ref" else _absolute(value)
            for key, value in node.items()
        }
    return [_absolute(one) for one in node] if isinstance(node, list) else node


def _closed(node):
    """Return a schema of objects that have no other members than those described."""
    if isinstance(node, dict):
        shut = {"additionalProperties": False} if "properties" in node else {}
        return {**shut, **{key: _closed(value) for key, value in node.items()}}
    return [_closed(one) for one in node] if isinstance(node, list) else node
