"""The members of answers, each with an example: the document's are made of them."""

from typing import Any, Final

from marshmallow import EXCLUDE, Schema, fields

AN_ID: Final = "01990b1e-7c1d-7a52-9f0e-6a4a2f9d1c11"
A_PERSON: Final = "01990b1e-5b20-7c3e-8d51-0d9c7f4e2b07"
A_TIME: Final = "2026-11-20T21:50:00.123456+00:00"


class Shape(Schema):
    """What is answered; there may be more in it one day."""

    class Meta:
        """Unknown members are no fault."""

        unknown = EXCLUDE


def _said(example: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return a field's options: always there unless told, null only if told."""
    about = options.pop("about", None)
    metadata = {"examples": [example], **({"description": about} if about else {})}
    null = options.pop("null", False)
    return {"required": True, "allow_none": null, "metadata": metadata, **options}


def text(example: str | None, **options: Any) -> fields.String:
    """Return a member that is text."""
    return fields.String(**_said(example, options))


def whole(example: int | None, **options: Any) -> fields.Integer:
    """Return a member that is a whole number."""
    return fields.Integer(strict=True, **_said(example, options))


def truth(*, example: bool, **options: Any) -> fields.Boolean:
    """Return a member that is true or false."""
    return fields.Boolean(**_said(example, options))


def identity(example: str | None = AN_ID, **options: Any) -> fields.UUID:
    """Return a member that is an id."""
    return fields.UUID(**_said(example, options))


def moment(example: str | None = A_TIME, **options: Any) -> fields.AwareDateTime:
    """Return a member that is a time."""
    return fields.AwareDateTime(format="iso", **_said(example, options))


def words(*examples: str, **options: Any) -> fields.List[Any]:
    """Return a member that is a list of words."""
    return fields.List(fields.String(), **_said(list(examples), options))


def mapping(example: dict[str, Any] | None, **options: Any) -> fields.Dict:
    """Return a member that is an object of any names."""
    return fields.Dict(**_said(example, options))


def nested(shape: type[Schema], **options: Any) -> fields.Nested:
    """Return a member that is another shape."""
    return fields.Nested(shape, **{"required": True, **options})


def several(shape: type[Schema], **options: Any) -> fields.List[Any]:
    """Return a member that is a list of another shape."""
    return fields.List(fields.Nested(shape), **{"required": True, **options})


def page_of(name: str, shape: type[Schema]) -> type[Schema]:
    """Return the shape of a page of a list."""
    after = f"/{name}?cursor=WzUsMF0%3D"
    found: type[Schema] = Shape.from_dict(
        {
            name: several(shape),
            "next": text(after, null=True, about="Where the next page is, if any."),
            "prev": text(None, null=True, about="Where the page before is, if any."),
        },
        name=f"{shape.__name__}Page",
    )
    return found
