"""The shapes of what is sent to vote."""

from typing import Any, Final

import orjson
from marshmallow import Schema, ValidationError, fields, validate

from api.bodies import NONCE_LENGTH_MAX, Moment, example, printable
from api.media import exact
from api.shapes.members import A_PERSON

CHOICE_BYTES_MAX: Final = 64 * 1024
RATIONALE_LENGTH_MAX: Final = 2_000
CONFLICT_LENGTH_MAX: Final = 500


def choice_value(value: Any) -> None:
    """Refuse what is no ballot of any method."""
    if len(orjson.dumps(value)) > CHOICE_BYTES_MAX:
        raise ValidationError(f"At most {CHOICE_BYTES_MAX} bytes of JSON.")
    if not exact(value):
        raise ValidationError("Numbers are whole.")


class BallotBody(Schema):
    """POST /api/governance/proposals/{id}/ballots."""

    choice = fields.Raw(
        required=True,
        allow_none=True,
        validate=choice_value,
        metadata=example("yes"),
    )
    rationale = fields.String(
        validate=validate.Length(1, RATIONALE_LENGTH_MAX),
        metadata=example("The garden needs water."),
    )
    nonce = fields.String(
        validate=[validate.Length(1, NONCE_LENGTH_MAX), printable],
        metadata=example("ballot-1"),
    )


class ConflictBody(Schema):
    """POST /api/governance/proposals/{id}/conflicts."""

    reason = fields.String(
        required=True,
        validate=validate.Length(1, CONFLICT_LENGTH_MAX),
        metadata=example("My brother would be paid."),
    )


class DelegationBody(Schema):
    """POST /api/governance/delegations."""

    delegate_id = fields.UUID(required=True, metadata=example(A_PERSON))
    topic = fields.String(
        validate=validate.Length(1, 64), metadata=example("simple_majority")
    )
    until = Moment(metadata=example("2027-11-20T00:00:00Z"))
