"""The shapes of what is sent about proposals."""

from typing import Any, Final

from marshmallow import RAISE, Schema, fields, validate

from api.bodies import example, metadata_value, printable
from api.people.bodies import lines
from domain.governance.texts import (
    DESCRIPTION_LENGTH,
    OPTIONS_MAX,
    TAGS_MAX,
    TITLE_LENGTH,
)
from domain.tally.elections import NAME_LENGTH_MAX

TAG_LENGTH_MAX: Final = 50
REASON_LENGTH_MAX: Final = 2_000

# More than PostgreSQL's integer holds, no text has.
_VERSION_MAX: Final = 2**31 - 1


class _Body(Schema):
    class Meta:
        """Unknown fields are named, not ignored."""

        unknown = RAISE


def _title(**options: Any) -> fields.String:
    return fields.String(
        validate=[validate.Length(*TITLE_LENGTH), printable],
        metadata=example("Plant lime trees along the canal"),
        **options,
    )


def _description(**options: Any) -> fields.String:
    return fields.String(
        validate=[validate.Length(*DESCRIPTION_LENGTH), lines],
        metadata=example("Twelve trees between the two bridges, planted in autumn."),
        **options,
    )


def _names(most: int, length_max: int, **options: Any) -> fields.List[str]:
    name = fields.String(validate=[validate.Length(1, length_max), printable])
    return fields.List(name, validate=validate.Length(max=most), **options)


def _options(**more: Any) -> fields.List[str]:
    return _names(OPTIONS_MAX, NAME_LENGTH_MAX, **more)


def _tags(**more: Any) -> fields.List[str]:
    return _names(TAGS_MAX, TAG_LENGTH_MAX, metadata=example(["trees"]), **more)


def _said(words: str) -> fields.String:
    return fields.String(
        required=True,
        validate=[validate.Length(1, REASON_LENGTH_MAX), lines],
        metadata=example(words),
    )


class ProposalBody(_Body):
    """POST /api/governance/proposals."""

    type = fields.String(
        required=True,
        validate=[validate.Length(1, 64), printable],
        metadata=example("simple_majority"),
    )
    title = _title(required=True)
    description = _description(required=True)
    options = _options(load_default=list)
    tags = _tags(load_default=list)
    details = fields.Raw(validate=metadata_value, load_default=dict)
    council_id = fields.UUID(load_default=None)
    amends = fields.UUID(load_default=None)


class ProposalChange(_Body):
    """PATCH /api/governance/proposals/{id}; what is left out stays."""

    title = _title()
    description = _description()
    options = _options()
    tags = _tags()
    details = fields.Raw(validate=metadata_value)


class CancelBody(_Body):
    """POST /api/governance/proposals/{id}/cancel."""

    reason = _said("It is done already.")


class VetoBody(_Body):
    """POST /api/governance/proposals/{id}/veto."""

    reason = _said("The member it goes to has left.")


class OutcomeBody(_Body):
    """POST /api/governance/proposals/{id}/outcome."""

    statement = _said("Planted on the 14th of October, twelve of them.")


class AdoptionBody(_Body):
    """POST /api/governance/proposals/{id}/adoption."""

    amendment_id = fields.UUID(
        required=True, metadata=example("01990b1e-7c1d-7a52-9f0e-6a4a2f9d1c11")
    )
    version = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(1, _VERSION_MAX),
        metadata=example(1),
    )
