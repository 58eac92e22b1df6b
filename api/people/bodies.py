"""The shapes of what people send about their accounts."""

import re
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from api.bodies import Moment, example, printable

# Bounds of the wire; the rules of names and passwords are the domain's.
_WORD_LENGTH_MAX: Final = 1_000
_TOKEN_LENGTH_MAX: Final = 16_384
_DISPLAY_NAME_LENGTH_MAX: Final = 80
_BIO_LENGTH_MAX: Final = 500
_PASSWORD: Final = "tulips by the canal"  # noqa: S105  an example
_NEW_PASSWORD: Final = "roses by the harbour"  # noqa: S105  another
_LATER: Final = "2031-11-20T21:50:00Z"
_TEXT: Final = re.compile(r"(?:[^\x00-\x1f\x7f-\x9f]|\n)*")


def lines(value: str) -> None:
    """Refuse control characters other than line breaks."""
    if not _TEXT.fullmatch(value):
        raise ValidationError("No control characters but line breaks.")


def _word(
    shown: str | None = None, *, length_max: int = _WORD_LENGTH_MAX, **options: Any
) -> fields.String:
    """Return a field of one line; one without an example is left out of examples."""
    return fields.String(
        validate=[validate.Length(1, length_max), printable],
        metadata={} if shown is None else example(shown),
        **options,
    )


class _Body(Schema):
    class Meta:
        """Unknown fields are named, not ignored."""

        unknown = RAISE


class RegisterBody(_Body):
    """POST /auth/register."""

    username = _word("ada", required=True)
    password = _word(_PASSWORD, required=True)
    email = _word("ada@example.org")
    captcha = _word(length_max=_TOKEN_LENGTH_MAX)


class TokenBody(_Body):
    """POST /auth/token, a form; OAuth's clients say `grant_type`, too."""

    grant_type = fields.String(validate=validate.Equal("password"))
    username = _word("ada", required=True)
    password = _word(_PASSWORD, required=True)
    captcha = _word(length_max=_TOKEN_LENGTH_MAX)


class RefreshBody(_Body):
    """POST /auth/refresh."""

    refresh_token = _word("pr_01990b1e7c1d7a52", required=True)


class ExternalBody(_Body):
    """POST /auth/external."""

    id_token = _word(
        "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl",
        length_max=_TOKEN_LENGTH_MAX,
        required=True,
    )
    nonce = _word()
    username = _word("ada")


class PasswordBody(_Body):
    """POST /auth/password; who has none yet sends no old one."""

    old_password = _word(_PASSWORD)
    new_password = _word(_NEW_PASSWORD, required=True)


class ResetRequestBody(_Body):
    """POST /auth/password-reset/request."""

    email = _word("ada@example.org", required=True)


class ResetConfirmBody(_Body):
    """POST /auth/password-reset/confirm."""

    token = _word("cmVzZXQgdG9rZW4", required=True)
    new_password = _word(_NEW_PASSWORD, required=True)


class UserBody(_Body):
    """PATCH /api/users/{id}; null takes a field away."""

    email = _word(allow_none=True)
    display_name = _word("Ada", length_max=_DISPLAY_NAME_LENGTH_MAX, allow_none=True)
    bio = fields.String(
        validate=[validate.Length(1, _BIO_LENGTH_MAX), lines],
        allow_none=True,
        metadata=example("Grows tulips."),
    )


class RoleBody(_Body):
    """POST /api/users/{id}/roles."""

    role = _word("council", required=True)
    ends_at = Moment(metadata=example(_LATER))
