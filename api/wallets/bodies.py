"""The shapes of what is sent about wallets; a private key is in none of them."""

import binascii
from base64 import b64decode, b64encode
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from api import ed25519
from api.bodies import example, printable, truth_value

LABEL_LENGTH_MAX: Final = 100
# Of RFC 8032 §7.1, the first test's.
_A_KEY: Final = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


class Base64(fields.Field[bytes]):
    """Bytes, written in base64."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bytes:
        try:
            return b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise ValidationError("Bytes in base64.") from None


def _sound_key(key: bytes) -> None:
    if not ed25519.sound(key):
        raise ValidationError("The 32 bytes of an Ed25519 public key.")


def true_value(value: Any) -> None:
    """Refuse what is not true."""
    if value is not True:
        raise ValidationError("true: another becomes primary by being told so itself.")


def _label(**options: Any) -> fields.String:
    length = validate.Length(max=LABEL_LENGTH_MAX)
    said = example("Savings")
    return fields.String(validate=[length, printable], metadata=said, **options)


class WalletBody(Schema):
    """POST /api/users/{id}/wallets."""

    network = fields.String(
        required=True,
        validate=validate.Regexp(r"[a-z0-9][a-z0-9-]{0,31}\Z"),
        metadata=example("test"),
    )
    address = fields.String(
        required=True,
        validate=validate.Regexp(r"[!-~]{1,128}\Z"),
        metadata=example("addr1-ada"),
    )
    label = _label(load_default="")
    public_key = Base64(
        validate=_sound_key, load_default=None, metadata=example(_A_KEY)
    )
    primary = fields.Raw(
        data_key="is_primary",
        validate=truth_value,
        load_default=False,
        metadata=example(True),
    )


class WalletChange(Schema):
    """PATCH /api/users/{id}/wallets/{id}."""

    label = _label()
    is_primary = fields.Raw(validate=true_value, metadata=example(True))


class ProofBody(Schema):
    """POST /api/users/{id}/wallets/{id}/proof."""

    challenge = fields.String(
        required=True,
        validate=validate.Length(1, 100),
        metadata=example("b3JkZXItMTctb3JkZXItMTctb3JkZXItMTc"),
    )
    signature = Base64(
        required=True,
        validate=validate.Length(equal=ed25519.SIGNATURE_BYTES),
        metadata=example(b64encode(bytes(ed25519.SIGNATURE_BYTES)).decode()),
    )


class DemandBody(Schema):
    """PATCH /api/users/{id}/signatures."""

    signatures_required = fields.Raw(
        required=True, validate=truth_value, metadata=example(False)
    )
