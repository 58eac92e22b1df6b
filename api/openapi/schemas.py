"""Schemas as OpenAPI has them, with what the library does not know of ours."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from api.bodies import (
    BATCH_ENTRIES_MAX,
    NAME_LENGTH_MAX,
    batch_entries,
    metadata_value,
    owner_name,
    printable,
    truth_value,
)
from api.people.bodies import lines
from api.wallets.bodies import Base64, true_value

_JSON_OF: Final[Mapping[Callable[..., None], Mapping[str, Any]]] = {
    owner_name: {
        "minLength": 1,
        "maxLength": NAME_LENGTH_MAX,
        "description": "Letters, digits and . _ : + ~ @ -, a letter, digit or _ first.",
    },
    printable: {"pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"},
    lines: {"pattern": r"^([^\x00-\x1f\x7f-\x9f]|\n)*$"},
    metadata_value: {"type": "object", "additionalProperties": True},
    batch_entries: {
        "type": "array",
        "minItems": 1,
        "maxItems": BATCH_ENTRIES_MAX,
        "items": {
            "anyOf": [
                {"$ref": "#/components/schemas/OperationEntry"},
                {"$ref": "#/components/schemas/TransferEntry"},
            ]
        },
    },
    truth_value: {"type": "boolean"},
    true_value: {"type": "boolean", "const": True},
}


def plugin() -> MarshmallowPlugin:
    """Return what makes OpenAPI's schemas of ours, each with its own name."""
    return _Plugin(schema_name_resolver=_name)


class _Plugin(MarshmallowPlugin):
    """Knows our own fields and rules."""

    def init_spec(self, spec: Any) -> None:
        super().init_spec(spec)
        assert self.converter is not None, "made by what is above"  # noqa: S101
        self.converter.add_attribute_function(_ours)  # type: ignore[no-untyped-call]


def _ours(
    _converter: OpenAPIConverter, field: fields.Field[Any], ret: dict[str, Any]
) -> dict[str, Any]:
    """Return what our validators mean, and mend what is said of others."""
    found: dict[str, Any] = {}
    for validator in field.validators:
        found |= _JSON_OF.get(validator, {})
    if "pattern" in ret:
        # Python's word for the end of a text; and it looks at the beginning alone.
        found["pattern"] = f"^{ret['pattern'].removesuffix(chr(92) + 'Z')}$"
    if isinstance(field, Base64):
        for bound in ("minLength", "maxLength"):
            ret.pop(bound, None)  # of the bytes, not of their text
        found |= {"type": "string", "contentEncoding": "base64"}
    if ret.get("default", ...) is None:
        del ret["default"]
    return found


def _name(schema: type[Schema] | Schema) -> str:
    return schema.__name__ if isinstance(schema, type) else type(schema).__name__


def example_of(schema: type[Schema] | Schema) -> dict[str, Any]:
    """Return an example: of every member the example it has, or of what it is of."""
    made = schema() if isinstance(schema, type) else schema
    return {
        field.data_key or name: _example(field)
        for name, field in made.fields.items()
        if _has_example(field)
    }


def _has_example(field: fields.Field[Any]) -> bool:
    nested = isinstance(field, fields.Nested) or isinstance(
        getattr(field, "inner", None), fields.Nested
    )
    return "examples" in field.metadata or (nested and field.required)


def _example(field: fields.Field[Any]) -> Any:
    if "examples" in field.metadata:
        return field.metadata["examples"][0]
    if isinstance(field, fields.List):
        return [_example(field.inner)]
    assert isinstance(field, fields.Nested), field  # noqa: S101  only these have none
    return example_of(field.schema)
