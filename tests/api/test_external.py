"""Logging in with an account elsewhere, at a real issuer on this host."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from api.app import create_app
from api.people import oidc
from domain import audit_events
from domain.settings import InvalidSettings, Settings
from tests.api.answering import answering
from tests.api.calling import Caller
from tests.api.people import log_in, make_name, make_person

AUDIENCE = "our-project"
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"

_subjects = count(1)

PRIVATE = {
    "RS256": rsa.generate_private_key(public_exponent=65_537, key_size=2_048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def jwk(algorithm, name=None):
    """Return the public key as an issuer publishes it."""
    kind = jwt.get_algorithm_by_name(algorithm)
    public = kind.to_jwk(PRIVATE[algorithm].public_key(), as_dict=True)
    return {**public, "kid": name or algorithm, "alg": algorithm, "use": "sig"}


class Issuer:
    """An OpenID issuer, and an API whose people may come from there."""

    def __init__(self, served, database):
        self.served = served
        self.url = served.url
        self.publish(*map(jwk, PRIVATE))
        self.describe(issuer=self.url, jwks_uri=self.url + KEYS)
        self.app = create_app(
            Settings(
                database_url=database, oidc_issuer=self.url, oidc_audience=AUDIENCE
            )
        )
        self.caller = Caller(self.app)

    def publish(self, *keys):
        self.served.answers[KEYS] = {"keys": keys}

    def describe(self, **described):
        self.served.answers[DISCOVERY] = described

    def token(
        self, algorithm="RS256", *, signer=None, header=None, without=(), **claims
    ):
        now = datetime.now(UTC)
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": f"subject-{next(_subjects)}",
            "iat": now,
            "exp": now + timedelta(hours=1),
            **claims,
        }
        said = {key: value for key, value in said.items() if key not in without}
        headers = {"kid": algorithm, **(header or {})}
        signer = signer or PRIVATE[algorithm]
        return jwt.encode(said, signer, algorithm=algorithm, headers=headers)

    def send(self, token, **fields):
        headers = fields.pop("headers", None)
        body = {"id_token": token, **fields}
        return self.caller.post("/auth/external", body, headers=headers)

    def fetches(self):
        return [path for path, _ in self.served.asked].count(KEYS)


@pytest.fixture
def issuer(api_database):
    with answering() as served:
        yield Issuer(served, api_database)


def me(issuer, answer):
    bearer = {"Authorization": f"Bearer {answer.json['access_token']}"}
    return issuer.caller.get("/auth/me", headers=bearer).json


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_who_is_new_chooses_a_name_and_is_in(issuer, algorithm):
    token, name = issuer.token(algorithm), make_name()
    nameless = issuer.send(token)
    made = issuer.send(token, username=name)
    again = issuer.send(token)

    assert (nameless.status_code, nameless.json["code"]) == (422, "username_needed")
    assert (made.status_code, again.status_code) == (201, 200)
    assert me(issuer, made)["username"] == name
    assert me(issuer, again)["id"] == me(issuer, made)["id"]


def test_an_address_counts_only_where_the_issuer_has_verified_it(issuer, new_person):
    address, taken = (f"{make_name()}@example.org" for _ in range(2))
    new_person(email=taken)
    said = [
        ({"email": address}, None),
        ({"email": address, "email_verified": "true"}, None),
        ({"email": address, "email_verified": True}, address),
        ({"email": taken, "email_verified": True}, None),
        ({"email": "no address", "email_verified": True}, None),
    ]

    for claims, expected in said:
        made = issuer.send(issuer.token(**claims), username=make_name())
        assert (made.status_code, me(issuer, made)["email"]) == (201, expected)


def test_a_name_that_is_taken_is_refused_and_leaves_nothing(issuer, person):
    token = issuer.token()
    taken = issuer.send(token, username=person.user.username)

    assert (taken.status_code, taken.json["code"]) == (409, "username_taken")
    assert issuer.send(token).json["code"] == "username_needed"


def test_of_many_who_come_at_once_with_one_token_one_account_is_made(issuer):
    token, gate = issuer.token(), threading.Barrier(8)

    def come(_number):
        gate.wait()
        return issuer.send(token, username=make_name())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(come, range(8)))

    made = [answer for answer in answers if answer.status_code == 201]
    assert len(made) == 1
    assert {a.status_code for a in answers} <= {200, 201, 409}
    assert me(issuer, issuer.send(token))["id"] == me(issuer, made[0])["id"]


PAST = datetime.now(UTC) - timedelta(hours=1)
OTHER = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-project"},
        {"exp": PAST},
        {"iat": PAST + timedelta(days=1)},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "a\0b"},
        {"sub": 7},
        *({"without": {name}} for name in ("iss", "aud", "exp", "iat", "sub")),
        {"signer": OTHER},
        {"header": {"kid": "unknown"}},
        {"header": {"kid": "ES256"}},
        {"header": {"kid": "../../etc/passwd"}},
        {"algorithm": "RS512", "signer": PRIVATE["RS256"], "header": {"kid": "RS256"}},
        {"algorithm": "PS256", "signer": PRIVATE["RS256"], "header": {"kid": "RS256"}},
    ],
    ids="-".join,
)
def test_a_token_that_is_wrong_in_anything_is_refused(issuer, wrong):
    answer = issuer.send(issuer.token(**wrong), username=make_name())

    assert (answer.status_code, answer.json["code"]) == (401, "invalid_id_token")


def test_a_token_does_not_choose_its_own_algorithm(issuer):
    head, body, _ = issuer.token().split(".")
    unsigned = json.dumps({"alg": "none", "kid": "RS256"}).encode()
    none = base64.urlsafe_b64encode(unsigned).decode().rstrip("=")
    secret = jwk("RS256")["n"].encode()
    forged = [
        f"{none}.{body}.",
        f"{head}.{body}.",
        issuer.token("HS256", signer=secret, header={"kid": "RS256"}),
    ]

    for token in forged:
        assert issuer.send(token, username=make_name()).status_code == 401


def test_a_shared_secret_among_the_keys_verifies_nothing(issuer):
    shared = {"kty": "oct", "k": "c2VjcmV0" * 6, "kid": "s", "alg": "HS256"}
    issuer.publish(jwk("RS256"), shared, {"kty": "RSA"}, "nonsense", {"kid": ["x"]})
    secret = base64.urlsafe_b64decode(shared["k"])
    token = issuer.token("HS256", signer=secret, header={"kid": "s"})

    assert issuer.send(token, username=make_name()).status_code == 401
    assert issuer.send(issuer.token(), username=make_name()).status_code == 201


@pytest.mark.parametrize("use", [{"use": "enc"}, {"alg": "RS512"}])
def test_a_key_for_something_else_verifies_nothing(issuer, use):
    issuer.publish({**jwk("RS256"), **use})

    assert issuer.send(issuer.token(), username=make_name()).status_code >= 401


def test_a_nonce_that_is_sent_must_be_the_tokens(issuer):
    token, name = issuer.token(nonce="abc"), make_name()

    assert issuer.send(token, nonce="abd", username=name).status_code == 401
    assert issuer.send(issuer.token(), nonce="abc", username=name).status_code == 401
    assert issuer.send(token, nonce="abc", username=name).status_code == 201


def test_the_issuers_keys_are_kept_for_a_while(issuer):
    for _ in range(3):
        issuer.send(issuer.token(), username=make_name())

    assert issuer.fetches() == 1


def test_a_key_nobody_has_heard_of_is_asked_for_but_not_each_time(issuer, monkeypatch):
    issuer.publish(jwk("RS256"))
    issuer.send(issuer.token(), username=make_name())
    issuer.publish(jwk("RS256"), jwk("EdDSA"))

    assert issuer.send(issuer.token("EdDSA"), username=make_name()).status_code == 401
    assert issuer.fetches() == 1
    monkeypatch.setattr(oidc, "_LOOK_SECONDS", 0.0)
    assert issuer.send(issuer.token("EdDSA"), username=make_name()).status_code == 201


def test_an_issuer_that_is_away_is_503_until_it_is_known(issuer, monkeypatch):
    issuer.served.answers.clear()
    away = issuer.send(issuer.token(), username=make_name())
    assert (away.status_code, away.json["code"]) == (503, "issuer_unavailable")

    issuer.publish(jwk("RS256"))
    issuer.describe(issuer=issuer.url, jwks_uri=issuer.url + KEYS)
    assert issuer.send(issuer.token(), username=make_name()).status_code == 201
    issuer.served.answers.clear()
    monkeypatch.setattr(oidc, "_KEYS_GOOD_FOR_SECONDS", 0.0)
    assert issuer.send(issuer.token(), username=make_name()).status_code == 201


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example", "jwks_uri": "{url}/keys"},
        {"jwks_uri": "{url}/keys"},
        {"issuer": "{url}"},
        {"issuer": "{url}", "jwks_uri": "http://192.0.2.1/keys"},
        {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"},
    ],
)
def test_an_issuer_that_leads_astray_is_not_followed(issuer, described):
    issuer.describe(**{k: v.format(url=issuer.url) for k, v in described.items()})
    answer = issuer.send(issuer.token(), username=make_name())

    assert (answer.status_code, answer.json["code"]) == (503, "issuer_unavailable")


@pytest.mark.parametrize("answer", [b"{", b"[]", b"{" + b" " * 300_000 + b"}"])
def test_an_issuer_that_answers_nonsense_is_503(issuer, answer):
    issuer.served.answers[KEYS] = answer

    assert issuer.send(issuer.token(), username=make_name()).status_code == 503


def test_without_an_issuer_nobody_comes_from_elsewhere(stranger):
    answer = stranger.post("/auth/external", {"id_token": "x"})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("issuer", "audience"),
    [("http://id.example.org", "a"), ("https://id.example.org", ""), ("id.org", "a")],
)
def test_an_issuer_is_https_and_has_an_audience(issuer, audience):
    environ = {"DATABASE_URL": "postgresql://x", "OIDC_ISSUER": issuer}

    with pytest.raises(InvalidSettings, match="OIDC_"):
        Settings.from_environ({**environ, "OIDC_AUDIENCE": audience})


# Linking


def test_a_person_links_an_identity_and_logs_in_with_it(issuer, api_sessions):
    person = make_person(issuer.app, api_sessions)
    bearer = {"Authorization": f"Bearer {person.access_token}"}
    token = issuer.token()

    assert issuer.send(token, headers=bearer).status_code == 204
    assert issuer.send(token, headers=bearer).status_code == 204
    assert me(issuer, issuer.send(token))["id"] == person.id


def test_an_identity_is_one_persons(issuer, api_sessions):
    one, other = (make_person(issuer.app, api_sessions) for _ in range(2))
    token = issuer.token()
    bearers = [{"Authorization": f"Bearer {who.access_token}"} for who in (one, other)]
    issuer.send(token, headers=bearers[0])
    answer = issuer.send(token, headers=bearers[1])

    assert (answer.status_code, answer.json["code"]) == (409, "identity_taken")
    assert me(issuer, issuer.send(token))["id"] == one.id


def test_nobody_links_with_a_token_that_is_none(issuer):
    answer = issuer.send(issuer.token(), headers={"Authorization": "Bearer x"})

    assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")


def test_who_left_may_come_back_as_somebody_else(issuer):
    token = issuer.token()
    first = issuer.send(token, username=make_name())
    bearer = {"Authorization": f"Bearer {first.json['access_token']}"}
    before = me(issuer, first)
    issuer.caller.delete(f"/api/users/{before['id']}", headers=bearer)
    second = issuer.send(token, username=make_name())

    assert second.status_code == 201
    assert me(issuer, second)["id"] != before["id"]


def test_who_comes_from_elsewhere_has_no_password(issuer):
    name = make_name()
    issuer.send(issuer.token(), username=name)

    assert log_in(issuer.caller, name).status_code == 401


def recorded(sessions, user_id):
    with sessions() as session:
        found = audit_events.page(session, subject=f"user:{user_id}", limit=9).items
    return [(row.AuditEvent.action, row.AuditEvent.details) for row in found]


def test_coming_from_elsewhere_is_recorded_with_the_issuer_alone(issuer, api_sessions):
    token = issuer.token(email=f"{make_name()}@example.org", email_verified=True)
    made = me(issuer, issuer.send(token, username=make_name()))
    login, registration = recorded(api_sessions, made["id"])

    assert registration == ("person.registered", {"issuer": issuer.url})
    assert login == (
        "login.succeeded",
        {"issuer": issuer.url, "login": made["session"]},
    )


def test_a_link_is_recorded_when_it_is_made_and_not_again(issuer, api_sessions):
    one, other = (make_person(issuer.app, api_sessions) for _ in range(2))
    token = issuer.token()
    for person in (one, one, other):
        bearer = {"Authorization": f"Bearer {person.access_token}"}
        issuer.send(token, headers=bearer)

    assert recorded(api_sessions, one.id) == [
        ("identity.linked", {"issuer": issuer.url})
    ]
    assert recorded(api_sessions, other.id) == []
