"""What is answered when something is wrong (RFC 9457), and what explains it."""

from typing import Any

from marshmallow import fields

from api.shapes.members import Shape, several, text, whole


class Fault(Shape):
    """One thing that is wrong with what was sent."""

    pointer = text("/amount", about="Where (RFC 6901), or ?name in the query.")
    detail = text("CREDIT_ADD is worth 10; leave amount out.")


class Problem(Shape):
    """What is wrong; some problems have members of their own beside these."""

    type = fields.String(
        required=True,
        metadata={"format": "uri-reference", "examples": ["/problems/invalid_body"]},
    )
    title = text("Unprocessable Entity")
    status = whole(422)
    detail = text("Not accepted: /amount; see `errors`.")
    code = text("invalid_body", about="For programs; each has a page at /problems.")
    instance = text("order-17", about="The request's id, for whoever reads our log.")
    trace = fields.String(
        metadata={"description": "The request's `traceparent`, if it had one."}
    )
    errors = several(Fault, required=False)


class ProblemType(Shape):
    """What a problem's code means."""

    type = text("/problems/invalid_body")
    code = text("invalid_body")
    title = text("Unprocessable Entity")
    status = whole(422)
    what = text("A field or a parameter is not what it should be.")
    why = text("It is missing, unknown, of another type, or out of bounds.")
    fix = text("Mend what `errors` points at.")


class ProblemTypes(Shape):
    """Every problem there is."""

    problems = several(ProblemType)


def example_of(code: str, status: int, title: str, what: str) -> dict[str, Any]:
    """Return a problem of a type."""
    return {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": what,
        "code": code,
        "instance": "order-17",
    }
