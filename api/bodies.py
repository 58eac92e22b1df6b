"""The shapes of ledger writes: what is accepted, refused by name when not."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from api.media import DEPTH_MAX, INTEGER_MAX, exact

NAME_LENGTH_MAX: Final = 128
NONCE_LENGTH_MAX: Final = 255
REASON_LENGTH_MAX: Final = 500
TITLE_LENGTH_MAX: Final = 200
METADATA_BYTES_MAX: Final = 4 * 1024
BATCH_ENTRIES_MAX: Final = 5_000

# They would hide an owner's balance behind another resource under /ledger/.
_RESERVED: Final = frozenset({"batches", "operations", "transfers", "trial-balance"})
_OWNER: Final = re.compile(r"\w[\w.:+~@-]*")
A_WRITE: Final = {
    "owner_id": "alice",
    "operation": "CREDIT_ADD",
    "nonce": "order-18",
}
PRINTABLE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


def owner_name(value: str) -> None:
    """Refuse what cannot name an owner."""
    if len(value) > NAME_LENGTH_MAX or not _OWNER.fullmatch(value):
        raise ValidationError(
            f"1 to {NAME_LENGTH_MAX} letters, digits and . _ : + ~ @ -, "
            "beginning with a letter, a digit or _."
        )
    if value in _RESERVED:
        raise ValidationError("This word is reserved; choose another.")


def printable(value: str) -> None:
    """Refuse control characters."""
    if not PRINTABLE.fullmatch(value):
        raise ValidationError("No control characters.")


def metadata_value(value: Any) -> None:
    """Refuse what is no small object of exact values."""
    if not isinstance(value, dict):
        raise ValidationError("An object.")
    if len(orjson.dumps(value)) > METADATA_BYTES_MAX:
        raise ValidationError(f"At most {METADATA_BYTES_MAX} bytes of JSON.")
    if not exact(value):
        raise ValidationError(
            "Numbers are whole and within ±2^53; write others as text."
        )


def batch_entries(value: Any) -> None:
    """Refuse what is no list."""
    if not isinstance(value, list):
        raise ValidationError("A list.")


def truth_value(value: Any) -> None:
    """Refuse what is neither true nor false."""
    # The library's own takes 1 for true.
    if not isinstance(value, bool):
        raise ValidationError("true or false.")


def example(value: Any) -> dict[str, Any]:
    """Return the metadata of a field with an example."""
    return {"examples": [value]}


class Moment(fields.AwareDateTime):
    """A time with its zone, read as UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format="iso", **options)

    def _deserialize(self, *given: Any, **named: Any) -> datetime:
        try:
            return super()._deserialize(*given, **named).astimezone(UTC)
        except OverflowError:
            raise ValidationError("A time between the years 1 and 9999.") from None


def _owner(name: str = "alice", **options: Any) -> fields.String:
    said = example(name)
    return fields.String(required=True, validate=owner_name, metadata=said, **options)


def _nonce(*, required: bool) -> fields.String:
    length = validate.Length(1, NONCE_LENGTH_MAX)
    said = example("order-17")
    return fields.String(required=required, validate=[length, printable], metadata=said)


def _whole(**options: Any) -> fields.Integer:
    return fields.Integer(strict=True, **options)


class _Body(Schema):
    class Meta:
        """Unknown fields are named, not ignored."""

        unknown = RAISE


class OperationBody(_Body):
    """POST /ledger."""

    owner_id = _owner()
    operation = fields.String(
        required=True,
        validate=validate.Length(1, 100),
        metadata=example("CREDIT_ADD"),
    )
    nonce = _nonce(required=False)
    metadata = fields.Raw(
        validate=metadata_value, metadata=example({"note": "garden day"})
    )
    amount = _whole(validate=validate.Range(-INTEGER_MAX, INTEGER_MAX))


class TransferBody(_Body):
    """POST /ledger/transfers."""

    source = _owner(data_key="from")
    target = _owner("bob", data_key="to")
    amount = _whole(
        required=True,
        validate=validate.Range(1, INTEGER_MAX),
        metadata=example(1),
    )
    nonce = _nonce(required=False)
    metadata = fields.Raw(
        validate=metadata_value, metadata=example({"note": "garden day"})
    )

    @post_load
    def _as_sent(self, body: dict[str, Any], **_options: Any) -> dict[str, Any]:
        body["from"], body["to"] = body.pop("source"), body.pop("target")
        return body


class OperationEntry(OperationBody):
    """An operation in a batch, where every entry has a nonce of its own."""

    nonce = _nonce(required=True)


class TransferEntry(TransferBody):
    """A transfer in a batch."""

    nonce = _nonce(required=True)


class ReversalBody(_Body):
    """POST /ledger/transfers/{id}/reversal."""

    nonce = _nonce(required=False)
    reason = fields.String(
        required=True,
        validate=[validate.Length(1, REASON_LENGTH_MAX), printable],
        metadata=example("entered twice"),
    )


class ContentBody(_Body):
    """POST /content."""

    owner_id = _owner()
    nonce = _nonce(required=False)
    title = fields.String(
        validate=[validate.Length(1, TITLE_LENGTH_MAX), printable],
        metadata=example("First words"),
    )


class AccessBody(_Body):
    """POST /content/{id}/access."""

    owner_id = _owner()
    nonce = _nonce(required=False)


_operation_entry: Final = OperationEntry()
_transfer_entry: Final = TransferEntry()


def entry_schema(entry: Any) -> Schema:
    """Return the schema of a batch's entry: with `from`, it is a transfer."""
    transfer = isinstance(entry, Mapping) and "from" in entry
    return _transfer_entry if transfer else _operation_entry


class BatchBody(_Body):
    """POST /ledger/batches as JSON; its entries are read one by one."""

    entries = fields.Raw(
        required=True, validate=batch_entries, metadata=example([A_WRITE])
    )
    atomic = fields.Raw(
        validate=truth_value, load_default=False, metadata=example(False)
    )


__all__ = [
    "A_WRITE",
    "BATCH_ENTRIES_MAX",
    "DEPTH_MAX",
    "NONCE_LENGTH_MAX",
    "PRINTABLE",
    "AccessBody",
    "BatchBody",
    "ContentBody",
    "Moment",
    "OperationBody",
    "OperationEntry",
    "ReversalBody",
    "TransferBody",
    "TransferEntry",
    "batch_entries",
    "entry_schema",
    "example",
    "metadata_value",
    "owner_name",
    "printable",
    "truth_value",
]
