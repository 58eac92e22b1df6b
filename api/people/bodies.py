"""The shapes of what people send about their accounts."""

import re
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from api.bodies import PRINTABLE

# Bounds of the wire; the rules of names and passwords are the domain's.
_WORD_LENGTH_MAX: Final = 1_000
_TOKEN_LENGTH_MAX: Final = 16_384
_DISPLAY_NAME_LENGTH_MAX: Final = 80
_BIO_LENGTH_MAX: Final = 500
_TEXT: Final = re.compile(r"(?:[^\x00-\x1f\x7f-\x9f]|\n)*")


def _printable(value: str) -> None:
    if not PRINTABLE.fullmatch(value):
        raise ValidationError("No control characters.")


def _text(value: str) -> None:
    if not _TEXT.fullmatch(value):
        raise ValidationError("No control characters but line breaks.")


def _word(length_max: int = _WORD_LENGTH_MAX, **options: Any) -> fields.String:
    return fields.String(
        validate=[validate.Length(1, length_max), _printable], **options
    )


class _Body(Schema):
    class Meta:
        """Unknown fields are named, not ignored."""

        unknown = RAISE


class RegisterBody(_Body):
    """POST /auth/register."""

    username = _word(required=True)
    password = _word(required=True)
    email = _word()
    captcha = _word(_TOKEN_LENGTH_MAX)


class TokenBody(_Body):
    """POST /auth/token, a form; OAuth's clients say `grant_type`, too."""

    grant_type = fields.String(validate=validate.Equal("password"))
    username = _word(required=True)
    password = _word(required=True)
    captcha = _word(_TOKEN_LENGTH_MAX)


class RefreshBody(_Body):
    """POST /auth/refresh."""

    refresh_token = _word(required=True)


class ExternalBody(_Body):
    """POST /auth/external."""

    id_token = _word(_TOKEN_LENGTH_MAX, required=True)
    nonce = _word()
    username = _word()


class PasswordBody(_Body):
    """POST /auth/password; who has none yet sends no old one."""

    old_password = _word()
    new_password = _word(required=True)


class ResetRequestBody(_Body):
    """POST /auth/password-reset/request."""

    email = _word(required=True)


class ResetConfirmBody(_Body):
    """POST /auth/password-reset/confirm."""

    token = _word(required=True)
    new_password = _word(required=True)


class UserBody(_Body):
    """PATCH /api/users/{id}; null takes a field away."""

    email = _word(allow_none=True)
    display_name = _word(_DISPLAY_NAME_LENGTH_MAX, allow_none=True)
    bio = fields.String(
        validate=[validate.Length(1, _BIO_LENGTH_MAX), _text], allow_none=True
    )


class RoleBody(_Body):
    """POST /api/users/{id}/roles."""

    role = _word(required=True)
    ends_at = fields.AwareDateTime(format="iso")
