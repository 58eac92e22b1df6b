"""What is answered of people, their logins, roles and wallets."""

from marshmallow import fields

from api.shapes.members import (
    A_PERSON,
    Shape,
    identity,
    moment,
    several,
    text,
    truth,
    whole,
    words,
)


class PersonSummary(Shape):
    """A person as a list shows them."""

    id = identity(A_PERSON)
    username = text("ada")
    display_name = text("Ada", null=True)
    created_at = moment()


class Person(PersonSummary):
    """A person, as they and those who tend the accounts see them."""

    email = text("ada@example.org", null=True)
    bio = text(None, null=True)
    roles = words("member")


class Me(Person):
    """Who asks, and what they may do."""

    scopes = words("account", "ledger:read", "ledger:spend")
    session = identity()


class Tokens(Shape):
    """What a login gives (RFC 6749 §5.1)."""

    access_token = text("eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl")
    token_type = text("Bearer")
    expires_in = whole(600, about="Seconds.")
    refresh_token = text("pr_01990b1e7c1d7a52", about="Good once.")


class Login(Shape):
    """Where a person is logged in."""

    id = identity()
    current = truth(example=True)
    device = text("curl/8.5.0", null=True)
    started_at = moment()
    refreshed_at = moment()
    expires_at = moment("2026-12-20T21:50:00.123456+00:00")


class RoleGrant(Shape):
    """A role a person holds, or held."""

    role = text("council")
    granted_by = identity(A_PERSON, null=True)
    granted_at = moment()
    ends_at = moment("2027-11-20T21:50:00+00:00", null=True)
    revoked_at = moment(None, null=True)


class UsernameCheck(Shape):
    """Whether a username is free, and why not."""

    username = text("ada")
    available = truth(example=True)
    code = fields.String(metadata={"description": "Of the problem, if there is one."})
    detail = fields.String()


class MailOnItsWay(Shape):
    """The same for every address, so that nobody learns whose it is."""

    detail = text("If this is somebody's address, a mail is on its way.")


class PublicKey(Shape):
    """A key that verifies access tokens (RFC 8037)."""

    kty = text("OKP")
    crv = text("Ed25519")
    use = text("sig")
    alg = text("EdDSA")
    kid = text("01990b1e7c1d7a529f0e6a4a2f9d1c11")
    x = text("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")


class PublicKeys(Shape):
    """A JSON Web Key Set (RFC 7517)."""

    keys = several(PublicKey)


class Wallet(Shape):
    """One of a person's wallets; of its keys the public one alone."""

    id = identity()
    network = text("test")
    address = text("addr1-ada")
    label = text("Savings")
    is_primary = truth(example=True)
    public_key = text("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", null=True)
    proved_at = moment(None, null=True)
    created_at = moment()


class Challenge(Shape):
    """What to sign as proof of a wallet's key."""

    challenge = text("b3JkZXItMTctb3JkZXItMTctb3JkZXItMTc")
    message = text("peoples-coin wallet proof v1\n…", about="Sign it byte for byte.")
    expires_at = moment()


class SignatureDemand(Shape):
    """Whether a person's signature is demanded, and since when."""

    signatures_required = truth(example=False)
    since = moment(None, null=True)
