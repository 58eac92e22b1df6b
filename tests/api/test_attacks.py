"""What an attacker tries first, each by its name.

Elsewhere: tokens that choose their algorithm, name a key by a path or by SQL, are out
of date or for somebody else (test_access_tokens.py, test_external.py); ids of others,
on every route (test_routes_by_roles.py); how long a login takes (test_login.py); forged
proxy headers (test_addresses.py, test_limits.py, test_browsers.py); heads too large and
smuggled requests (test_arrival.py, ../end_to_end/test_attacks.py); headers in an answer
(../end_to_end/test_http.py), in a mail (../tasks/test_mail.py).
"""

import gzip
import json
import time
from urllib.parse import quote, urlencode

import pytest
import sqlalchemy as sa

from domain.keys import SCOPES
from tests.api.calling import JSON, pointers
from tests.api.people import FORM
from tests.api.test_methods import ROUTES
from tests.api.test_routes_by_roles import LET_IN, expected
from tests.api.walking import World, path_of
from tests.factories import make_owner

# SQL injection (CWE-89)

SLEEP_SECONDS = 3
SQL = [
    "' OR '1'='1",
    "' OR 1=1 --",
    "'; DROP TABLE users; --",
    "' UNION SELECT username, password_hash FROM users --",
    f"'; SELECT pg_sleep({SLEEP_SECONDS}); --",
    f"' || pg_sleep({SLEEP_SECONDS}) || '",
    "\\'; --",
    "$$; SELECT 1; $$",
    "%' ESCAPE '%",
    "_%",
]
FILTERS = [
    ("/jobs", "kind", "jobs"),
    ("/ledger/somebody/entries", "operation", "entries"),
    ("/api/audit/events", "action", "events"),
    ("/api/audit/events", "subject", "events"),
    ("/auth/api-keys", "application", "keys"),
    ("/api/users", "username", "users"),
]


@pytest.mark.parametrize("where", FILTERS, ids=" ".join)
@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_filter_is_a_text_nobody_has(caller, admin, where, text):
    path, name, items = where
    asker = admin if path == "/api/users" else caller
    began = time.monotonic()
    answer = asker.get(path, params={name: text})

    assert answer.status_code in {200, 403, 422}
    assert answer.status_code != 200 or answer.json[items] == []
    assert time.monotonic() - began < SLEEP_SECONDS


@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_path_names_nobody(caller, stranger, api_sessions, text):
    named = quote(text, safe="")
    answers = [
        stranger.get(f"/api/users/check-username/{named}"),
        caller.get(f"/ledger/{named}"),
        caller.get(f"/auth/api-keys/{named}"),
        caller.get(f"/jobs/{named}"),
    ]

    assert {answer.status_code for answer in answers} <= {200, 404}
    assert answers[0].json["available"] is False
    assert answers[1].status_code == 404 or answers[1].json["balance"] == 0
    with api_sessions() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM users")) is not None


@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_body_is_kept_as_it_is_or_refused(caller, person, worker, text):
    owner = make_owner()
    body = {"owner_id": owner, "operation": "CREDIT_ADD", "nonce": text + owner}
    made = caller.done("/ledger", {**body, "metadata": {"note": text}})
    told = person.patch({"bio": text})

    assert made.status_code == 201
    assert made.json["transfer"]["metadata"] == {"note": text}
    assert told.json["bio"] == text


# Path tricks (CWE-22, CWE-436): another way to write a path opens nothing

CLOSED = "/auth/api-keys"
OPEN = "/problems"
DETOURS = [
    f"/{CLOSED}",
    f"{CLOSED}//",
    f"{CLOSED}/.",
    f"{CLOSED}/..;/",
    f"{CLOSED};a=b",
    f"{CLOSED}\0",
    f"{CLOSED}\0.css",
    f"{CLOSED}.json",
    f"{CLOSED} ",
    f"{CLOSED}\t",
    f"{CLOSED}%2f",
    CLOSED.upper(),
    CLOSED.replace("/", "\\"),
    CLOSED.replace("/", "/./"),
    f"{OPEN}/..{CLOSED}",
    f"{OPEN}/../..{CLOSED}",
    f"{OPEN}/..;{CLOSED}",
    f"{OPEN}/%2e%2e{CLOSED}",
    f"{OPEN}/x\0/..{CLOSED}",
    # Overlong forms of "/" and ".", as WSGI passes bytes on.
    CLOSED.replace("/", "\xc0\xaf"),
    CLOSED.replace("/", "\xe0\x80\xaf"),
    f"{OPEN}/\xc0\xae\xc0\xae{CLOSED}",
    # Fullwidth "a" for those who fold it.
    CLOSED.replace("a", "\xef\xbd\x81"),
]


@pytest.mark.parametrize("path", DETOURS, ids=ascii)
def test_a_detour_to_what_is_closed_leads_nowhere(stranger, path):
    """RFC 3986 §6.2.2: paths are compared as they are, after one decoding."""
    answer = stranger.raw("GET", "/", PATH_INFO=path)

    assert answer.status_code in {401, 404}


@pytest.mark.parametrize("path", DETOURS, ids=ascii)
def test_a_detour_widens_no_scope(new_caller, path):
    reader = new_caller("ledger:read")
    for detour in (path, path.replace(OPEN, "/ledger")):
        answer = reader.raw("GET", "/", PATH_INFO=detour)
        assert answer.status_code in {403, 404}


@pytest.mark.parametrize(
    "header",
    [
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Method-Override": "DELETE"},
        {"X-Original-URL": CLOSED},
        {"X-Rewrite-URL": CLOSED},
        {"X-Forwarded-Prefix": CLOSED},
        {"X-Original-Method": "DELETE"},
    ],
    ids=str,
)
def test_no_header_makes_a_request_another(stranger, header):
    answer = stranger.get("/problems/not_found", headers=header)

    assert answer.status_code == 200
    assert "not_found" in answer.text


# Every write there is: mass assignment (CWE-915) and bombs (CWE-409)

WRITES = sorted(
    (method, route)
    for route in ROUTES
    for method in ROUTES[route] & {"POST", "PUT", "PATCH"}
)
# These look at no body.
WITHOUT_BODY = {
    "/auth/logout",
    "/jobs/{job_id:uuid}/retry",
    "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}/challenge",
    "/api/webhooks/{webhook_id:uuid}/ping",
    "/api/webhooks/{webhook_id:uuid}/secret",
    "/api/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}/replay",
    "/api/governance/proposals/{proposal_id:uuid}/open",
    "/api/governance/councils/{council_id:uuid}/seats/{seat_id:uuid}/absence",
    "/api/governance/councils/{council_id:uuid}/seats/{seat_id:uuid}/absence/answer",
    "/api/governance/councils/{council_id:uuid}/seats/{seat_id:uuid}/vacancy",
    "/api/governance/councils/{council_id:uuid}/recalls/{recall_id:uuid}/second",
    "/api/bounties/{bounty_id:uuid}/claims/{claimant_id:uuid}/rejection",
}
# What rows have and nobody may set, whatever else they may.
COLUMNS = [
    *("id", "user_id", "created_at", "deleted_at", "revoked_at", "granted_by"),
    *("is_admin", "roles", "principal_id", "password_hash", "proved_at", "version"),
]
BOMB = gzip.compress(bytes(50_000_000))
each_write = pytest.mark.parametrize("write", WRITES, ids=" ".join)


@pytest.fixture
def world(app, api_sessions):
    return World(app, api_sessions)


def may(world, method, route):
    """Return somebody whom the table lets do this."""
    parties = [
        world.key("everything in commons", *SCOPES),
        world.key("everything in content", *SCOPES, application="content"),
        world.person("admin"),
        world.person("guardian"),
    ]
    return next(p for p in parties if expected(method, route, p, set()) == LET_IN)


def send(world, write, body, **headers):
    """Send a body as somebody who may."""
    method, route = write
    party = may(world, method, route)
    media = FORM if route == "/auth/token" else JSON
    headers = {"If-Match": "*", "Content-Type": media, **headers}
    path = path_of(world, party, route)
    return party.caller.send(method, path, body=body, headers=headers)


@each_write
def test_nobody_sets_what_is_not_theirs_to_set(world, write):
    fields = dict.fromkeys(COLUMNS, "admin")
    written = urlencode if write[1] == "/auth/token" else json.dumps
    answer = send(world, write, written(fields).encode())

    if write[1] in WITHOUT_BODY:
        assert answer.status_code in {200, 201, 202, 204, 409}
    else:
        assert answer.status_code == 422
        assert {f"/{name}" for name in COLUMNS} <= set(pointers(answer))


@each_write
def test_a_bomb_is_not_unpacked(world, write):
    """RFC 9110 §8.4, §15.5.16: no coding is accepted, so nothing grows."""
    answer = send(world, write, BOMB, **{"Content-Encoding": "gzip"})

    if write[1] in WITHOUT_BODY:
        assert answer.status_code in {200, 204, 409, 415}
    else:
        refusal = (answer.status_code, answer.json["code"])
        assert refusal == (415, "unsupported_content_encoding")
