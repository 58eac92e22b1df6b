"""The shapes of what is sent about councils."""

from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from api.bodies import PRINTABLE, example, printable, truth_value

SEATS_MAX: Final = 100
TERM_DAYS_MAX: Final = 3_650
WORDS_MAX: Final = 50
REASON_LENGTH: Final = (20, 2_000)
STATEMENT_LENGTH_MAX: Final = 5_000


def prose(value: str) -> None:
    """Refuse control characters but for the ends of lines."""
    if not PRINTABLE.fullmatch(value.replace("\n", " ")):
        raise ValidationError("No control characters but line breaks.")


def _word(text: str, **options: Any) -> fields.String:
    length = validate.Length(1, WORDS_MAX)
    said = example(text)
    return fields.String(validate=[length, printable], metadata=said, **options)


def _whole(most: int, shown: int, **options: Any) -> fields.Integer:
    return fields.Integer(
        strict=True,
        validate=validate.Range(1, most),
        metadata=example(shown),
        **options,
    )


class CouncilBody(Schema):
    """POST /api/governance/councils."""

    name = fields.String(
        required=True,
        validate=[validate.Length(3, 100), printable],
        metadata=example("Stewards of the garden"),
    )
    description = fields.String(
        required=True,
        validate=[validate.Length(1, 2_000), prose],
        metadata=example("Decides what is planted, and who waters it."),
    )
    seats = _whole(SEATS_MAX, 5, required=True)
    term_days = _whole(TERM_DAYS_MAX, 365, required=True)
    affiliation_cap = _whole(SEATS_MAX, 2, load_default=None)


class SeatBody(Schema):
    """PATCH /api/governance/councils/{id}/seats/{id}."""

    role = _word("chair", required=True)


class ElectionBody(Schema):
    """POST /api/governance/councils/{id}/elections."""

    everybody = fields.Raw(
        data_key="all",
        validate=truth_value,
        load_default=False,
        metadata=example(True),
    )


class NominationBody(Schema):
    """POST /api/governance/elections/{id}/nominations."""

    statement = fields.String(
        required=True,
        validate=[validate.Length(1, STATEMENT_LENGTH_MAX), prose],
        metadata=example("I have watered the tulips for three years."),
    )
    affiliation = _word("Canal Street", load_default=None)


class RecallBody(Schema):
    """POST /api/governance/councils/{id}/recalls."""

    reason = fields.String(
        required=True,
        validate=[validate.Length(*REASON_LENGTH), prose],
        metadata=example("Has not been seen at a meeting since the spring."),
    )
    seat_id = fields.UUID(load_default=None)
