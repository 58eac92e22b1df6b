"""Access tokens: nobody makes one but us, and it is good for what it was made for."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.app import create_app
from api.token_claims import AUDIENCE
from domain import signing_keys
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.api.calling import PROBLEM, Caller
from tests.api.people import exchange, make_person
from tests.waiting import eventually

ME = "/auth/me"
PUBLIC = "/.well-known/jwks.json"


def ask(caller, token, path=ME, **headers):
    given = {"Authorization": f"Bearer {token}", **headers}
    return caller.get(path, headers=given)


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.fixture
def key(api_sessions, person):
    """The key the API signs with, and its name."""
    with api_sessions.begin() as session:
        now = datetime.now(UTC)
        keys = signing_keys.standing(session, secret="", now=now)
        key = signing_keys.signing(keys, now=now)
    seed = key.derive("access", secret="")
    return key.id.hex, Ed25519PrivateKey.from_private_bytes(seed)


@pytest.fixture
def make(key, person):
    """Return a maker of tokens that are right but for what it is told."""
    name, private = key
    right = jwt.decode(person.access_token, options={"verify_signature": False})

    def make(signer=private, *, without=(), header=None, algorithm="EdDSA", **claims):
        said = {k: v for k, v in {**right, **claims}.items() if k not in without}
        headers = {"kid": name, "typ": "at+jwt", **(header or {})}
        return jwt.encode(said, signer, algorithm=algorithm, headers=headers)

    return make


def test_a_token_says_no_more_than_it_must(person, key):
    head, body = map(decoded, person.access_token.split(".")[:2])

    assert head == {"alg": "EdDSA", "kid": key[0], "typ": "at+jwt"}
    assert set(body) == {"iss", "aud", "sub", "sid", "iat", "exp"}
    assert (body["sub"], body["aud"]) == (person.id, AUDIENCE)
    assert body["exp"] - body["iat"] == 600


def test_a_token_made_with_the_right_key_opens(stranger, make):
    """What makes the refusals below mean something."""
    assert ask(stranger, make()).status_code == 200


def test_anyone_can_verify_a_token_with_what_is_published(stranger, person):
    published = stranger.get(PUBLIC)
    (name,) = {jwt.get_unverified_header(person.access_token)["kid"]}
    keys = {key["kid"]: jwt.PyJWK(key) for key in published.json["keys"]}
    claims = jwt.decode(
        person.access_token, keys[name], algorithms=["EdDSA"], audience=AUDIENCE
    )

    assert claims["sub"] == person.id
    assert published.headers["Cache-Control"] == "public, max-age=300"
    assert all("d" not in key for key in published.json["keys"])


def refused(answer):
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")
    assert answer.headers["Content-Type"] == PROBLEM
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer ")
    assert 'error="invalid_token"' in challenge


PAST = datetime.now(UTC) - timedelta(minutes=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": PAST},
        {"iat": PAST + timedelta(hours=1)},
        {"aud": "another-api"},
        {"aud": ["password-reset"]},
        {"iss": "https://evil.example"},
        {"sub": "nobody"},
        {"sub": str(uuid4())},
        {"sid": str(uuid4())},
        {"sid": "../../etc/passwd"},
        {"sid": ["x"]},
        {"sid": None},
        *({"without": {name}} for name in ("exp", "iat", "aud", "iss", "sub", "sid")),
        {"header": {"kid": "../../dev/null"}},
        {"header": {"kid": "x' OR '1'='1"}},
        {"header": {"kid": str(uuid4())}},
        {"header": {"kid": ""}},
        {"header": {"typ": "JWT"}},
        {"header": {"crit": ["b64"], "b64": False}},
        {"signer": Ed25519PrivateKey.generate()},
    ],
    ids="-".join,
)
def test_a_token_that_is_wrong_in_anything_is_refused(stranger, make, wrong):
    refused(ask(stranger, make(**wrong)))


def test_a_token_does_not_choose_its_own_algorithm(stranger, person, key):
    """RFC 8725 §3.1: `none`, and a MAC whose secret is our public key."""
    name, private = key
    _, body, mark = person.access_token.split(".")
    public = private.public_key()
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    claims = decoded(body)
    unsigned = encoded({"alg": "none", "kid": name, "typ": "at+jwt"})
    headers = {"kid": name, "typ": "at+jwt"}
    forged = [
        f"{unsigned}.{body}.",
        f"{unsigned}.{body}.{mark}",
        jwt.encode(claims, raw, algorithm="HS256", headers=headers),
        jwt.encode(claims, base64.urlsafe_b64encode(raw), "HS256", headers=headers),
    ]

    for token in forged:
        refused(ask(stranger, token))


def test_a_token_brings_no_key_of_its_own(stranger, make):
    thief = Ed25519PrivateKey.generate()
    own = jwt.algorithms.OKPAlgorithm.to_jwk(thief.public_key(), as_dict=True)

    for header in ({"jwk": own}, {"jku": "http://127.0.0.1:1/keys"}):
        refused(ask(stranger, make(thief, header=header)))


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "....", "é.é.é", "eyJ.eyJ.", "a" * 7_000, "pc_" + "a" * 58],
)
def test_what_is_no_token_is_refused(stranger, token):
    refused(ask(stranger, token))


def test_a_changed_token_is_refused(stranger, person, new_person):
    head, body, mark = person.access_token.split(".")
    _, others, _ = new_person().access_token.split(".")

    refused(ask(stranger, f"{head}.{others}.{mark}"))
    refused(ask(stranger, f"{head}.{body}.{mark[:-4]}AAAA"))
    refused(ask(stranger, person.refresh_token))


def test_two_credentials_are_one_too_many(caller, person):
    answer = ask(caller, person.access_token)

    assert (answer.status_code, answer.json["code"]) == (400, "two_credentials")


def test_another_scheme_is_nobody(stranger, caller):
    basic = {"Authorization": "Basic YTpi"}
    answer = stranger.get(ME, headers=basic)

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert caller.get("/ledger/operations", headers=basic).status_code == 200


def test_the_scheme_is_known_in_any_case(stranger, person):
    given = {"Authorization": f"bEARER   {person.access_token}"}

    assert stranger.get(ME, headers=given).status_code == 200


def test_a_token_in_the_query_is_none(stranger, person):
    """RFC 9700 §4.3.2: addresses end up in logs."""
    answer = stranger.get(ME, params={"access_token": person.access_token})

    assert answer.status_code == 401


def test_another_process_knows_a_token_at_once(api_database, api_sessions):
    apps = [create_app(Settings(database_url=api_database)) for _ in range(2)]
    person = make_person(apps[0], api_sessions)

    assert ask(Caller(apps[1]), person.access_token).status_code == 200


# Keys that rotate


@pytest.fixture
def rotating(new_database):
    """An API of its own, whose keys are nobody else's."""
    with new_database() as url:
        engine = create_engine(Settings(database_url=url))
        yield create_app(Settings(database_url=url)), session_factory(engine)
        engine.dispose()


def rotate(sessions, **options):
    now = datetime.now(UTC)
    with sessions.begin() as session:
        return signing_keys.rotate(session, secret="", now=now, **options).id.hex


def test_the_next_key_is_published_before_it_signs(rotating):
    app, sessions = rotating
    person = make_person(app, sessions)
    new = rotate(sessions)

    def names():
        return [key["kid"] for key in Caller(app).get(PUBLIC).json["keys"]]

    eventually(lambda: new in names(), within=6)
    person.refresh()
    assert jwt.get_unverified_header(person.access_token)["kid"] != new
    assert person.get(ME).status_code == 200


def test_a_key_that_leaked_is_dropped_at_once(rotating):
    app, sessions = rotating
    person = make_person(app, sessions)
    assert person.get(ME).status_code == 200
    new = rotate(sessions, at_once=True)
    began = time.monotonic()
    eventually(lambda: person.get(ME).status_code == 401, within=10)

    assert time.monotonic() - began < 9
    assert person.refresh().status_code == 200
    assert jwt.get_unverified_header(person.access_token)["kid"] == new
    assert person.get(ME).status_code == 200


def test_a_copy_of_the_database_forges_nothing_where_a_secret_is_set(new_database):
    with new_database() as url:
        app = create_app(Settings(database_url=url, token_secret="elsewhere"))
        engine = create_engine(Settings(database_url=url))
        sessions = session_factory(engine)
        person = make_person(app, sessions)
        with sessions() as session:
            stolen = session.scalars(sa.select(signing_keys.SigningKey)).one()
        engine.dispose()
        claims = jwt.decode(person.access_token, options={"verify_signature": False})
        headers = {"kid": stolen.id.hex, "typ": "at+jwt"}
        for seed in (stolen.derive("access", secret=""), stolen.salt):
            key = Ed25519PrivateKey.from_private_bytes(seed)
            refused(ask(Caller(app), jwt.encode(claims, key, "EdDSA", headers=headers)))
        assert person.get(ME).status_code == 200


def test_a_role_ends_within_five_seconds_of_its_end(person, admin, api_sessions):
    path = f"/api/users/{person.id}/roles"
    soon = datetime.now(UTC) + timedelta(seconds=1)
    granted = admin.post(path, {"role": "operator", "ends_at": soon.isoformat()})
    assert granted.status_code == 201
    # A token that nobody has seen yet.
    person.refresh()
    assert "jobs:operate" in person.get(ME).json["scopes"]

    eventually(lambda: "jobs:operate" not in person.get(ME).json["scopes"], within=7)


def test_a_refresh_token_opens_nothing_by_itself(stranger, person):
    refused(ask(stranger, person.refresh_token, "/ledger/operations"))
    assert exchange(stranger, person.access_token).status_code == 401


def test_what_verifies_a_token_is_in_the_database_before_the_token_is_made(
    api_sessions, person
):
    """Who reads nothing but the database can tell whose it is."""
    name = jwt.get_unverified_header(person.access_token)["kid"]
    with api_sessions() as session:
        stored = session.get(signing_keys.SigningKey, UUID(name))
        public = Ed25519PublicKey.from_public_bytes(stored.public_key)

    jwt.decode(person.access_token, public, algorithms=["EdDSA"], audience=AUDIENCE)
