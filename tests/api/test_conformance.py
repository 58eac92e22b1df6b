"""The conventions of the API, a row at a time, each check by the clause it is from.

One clear check a clause; what else follows from a row is held by the file it names.
What is said of every message is in test_conformance_messages.py.
"""

import re
from hashlib import sha256

import pytest

from api.app import create_app
from domain.keys import ApiKey
from domain.settings import Settings
from tests.api.calling import PROBLEM, Caller, make_nonce, operation
from tests.api.test_limits import LEFT, POLICY
from tests.factories import make_owner

# RFC 9110 §11.2: a scheme, and parameters of which each is a token and a value.
CHALLENGE = re.compile(r'[\w-]+ (?:[\w-]+="[^"\\]*"(?:, (?=[\w-]+="))?)+')
# RFC 8288 §3, with the one parameter that is needed.
LINK = re.compile(r'<([^>]+)>; ?rel="?([a-z]+)"?')
# RFC 9562 §4; RFC 3339 §5.6, in UTC.
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
WAIT = {"Prefer": "wait=20"}


def challenges(answer):
    return [
        match[0] for match in CHALLENGE.finditer(answer.headers["WWW-Authenticate"])
    ]


def write(caller, **headers):
    return caller.post("/ledger", operation(make_owner()), headers=headers)


@pytest.fixture
def job(caller, worker):
    """The path of a job that has ended well."""
    made = write(caller)
    caller.get(made.headers["Location"], params={"wait": "20"})
    return made.headers["Location"]


# Row "principal"; more in tests/api/test_principals.py, test_access_tokens.py


def test_rfc_9110_11_6_1_a_401_has_a_challenge_of_every_scheme(stranger):
    schemes = {text.partition(" ")[0] for text in challenges(stranger.get("/jobs"))}

    assert schemes == {"ApiKey", "Bearer"}


def test_rfc_9110_11_6_2_credentials_are_in_authorization(person):
    assert person.get("/auth/me").status_code == 200


def test_rfc_6750_3_1_who_sends_no_token_is_told_no_error(stranger):
    assert "error=" not in stranger.get("/jobs").headers["WWW-Authenticate"]


def test_rfc_6750_3_1_a_token_that_is_none_is_an_invalid_token(stranger):
    answer = stranger.get("/jobs", headers={"Authorization": "Bearer x.y.z"})

    assert answer.status_code == 401
    assert 'error="invalid_token"' in challenges(answer)[0]


def test_rfc_6750_3_1_a_scope_that_is_missing_is_named(person):
    answer = person.get("/api/audit/events")

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in challenges(answer)[0]
    assert 'scope="audit:read"' in challenges(answer)[0]


def test_rfc_6749_5_1_tokens_are_given_as_oauth_gives_them(person):
    answer = person.refresh()

    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 600
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_key_is_an_id_and_a_secret_of_which_a_digest_is_kept(caller, api_sessions):
    prefix, identifier, secret = caller.key.split("_")
    with api_sessions() as session:
        kept = session.get(ApiKey, identifier)

    assert (prefix, len(secret)) == ("pc", 46)
    assert kept.digest == sha256(caller.key.encode()).digest()
    alias = Caller(caller._client.app).get("/jobs", headers={"x-token": caller.key})
    assert alias.status_code == 200


# Row "asynchronous writes"; more in test_accepted.py


def test_rfc_9110_15_3_3_accepted_leads_to_a_monitor_of_its_state(caller):
    answer = write(caller)

    assert answer.status_code == 202
    assert re.fullmatch(f"/jobs/{UUID}", answer.headers["Location"])
    assert caller.get(answer.headers["Location"]).json["id"] == answer.json["id"]


def test_rfc_9110_10_2_3_retry_after_is_in_whole_seconds(caller):
    assert re.fullmatch("[1-9][0-9]*", write(caller).headers["Retry-After"])


def test_rfc_9110_15_3_2_created_names_what_was_created(caller, worker):
    answer = write(caller, **WAIT)

    assert answer.status_code == 201
    shown = caller.get(answer.headers["Location"])
    assert shown.json == answer.json["transfer"]


def test_rfc_7240_4_3_who_waited_in_vain_is_told_202(caller):
    answer = write(caller, Prefer="wait=1")

    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")


def test_rfc_7240_4_1_who_prefers_not_to_wait_does_not(caller, worker):
    answer = write(caller, Prefer="respond-async")

    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"


def test_rfc_7240_2_an_answer_varies_by_prefer_and_says_so(caller):
    varies = re.split(", ?", write(caller).headers["Vary"])

    assert "Prefer" in varies


def test_rfc_7240_2_an_unknown_preference_is_ignored(caller):
    answer = write(caller, Prefer="handling=strict; q, wait=soon")

    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


# Row "job"; more in test_jobs.py, test_events.py


def test_rfc_9110_15_3_1_a_job_is_200_whatever_came_of_it(caller, worker):
    bodies = [operation(make_owner(), name) for name in ("CREDIT_ADD", "CREDIT_SPEND")]
    paths = [caller.post("/ledger", body).headers["Location"] for body in bodies]
    jobs = [caller.get(path, params={"wait": "20"}) for path in paths]

    assert [job.status_code for job in jobs] == [200, 200]
    assert [job.json["state"] for job in jobs] == ["succeeded", "refused"]


def test_a_job_has_every_member_and_its_times_are_rfc_3339(caller, job):
    shown = caller.get(job).json

    assert shown.keys() >= {
        *("id", "kind", "application", "state", "attempts", "queue_ms", "run_ms"),
        *("submitted_at", "started_at", "finished_at", "result", "links"),
    }
    times = [shown[f"{name}_at"] for name in ("submitted", "started", "finished")]
    assert all(TIME.fullmatch(time) for time in times)
    assert times == sorted(times)


def test_html_9_2_5_events_are_lines_of_fields_and_end_with_an_empty_one(caller, job):
    """WHATWG HTML, server-sent events: interpreting an event stream."""
    stream = caller.get(f"{job}/events").text
    blocks = [block.split("\n") for block in stream.split("\n\n")]

    assert blocks.pop() == [""]
    fields = re.compile(r"(?:id|event|data|retry): .*|:.*")
    assert all(fields.fullmatch(line) for block in blocks for line in block)


def test_html_9_2_4_a_stream_goes_on_after_the_last_event_seen(caller, job):
    """WHATWG HTML, server-sent events: the Last-Event-ID header, and 204 to stop."""
    (last,) = re.findall("^id: (.*)$", caller.get(f"{job}/events").text, re.MULTILINE)
    after = caller.get(f"{job}/events", headers={"Last-Event-ID": last})

    assert (after.status_code, after.content) == (204, b"")


def test_rfc_9110_15_5_5_a_job_of_another_is_not_found(caller, new_caller, job):
    answer = new_caller("ledger:read").get(job)

    assert (answer.status_code, answer.json["code"]) == (404, "no_such_job")


# Row "idempotency"; more in test_idempotency.py


def test_draft_idempotency_key_2_1_a_quoted_key_is_the_string_within(caller):
    """draft-ietf-httpapi-idempotency-key-header-07: an Item of RFC 9651, a String."""
    key, body = make_nonce(), operation(make_owner())
    del body["nonce"]
    answers = [
        caller.post("/ledger", body, headers={"Idempotency-Key": text})
        for text in (f'"{key}"', key)
    ]

    assert answers[0].json["id"] == answers[1].json["id"]


def test_draft_idempotency_key_2_6_the_first_answer_is_given_again(caller):
    body = operation(make_owner())
    first, again = (caller.post("/ledger", body) for _ in range(2))

    assert (again.status_code, again.json) == (first.status_code, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_draft_idempotency_key_2_7_another_payload_is_422(caller):
    body = operation(make_owner())
    caller.post("/ledger", body)
    answer = caller.post("/ledger", {**body, "owner_id": make_owner()})

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")


# Row "lists"; more in test_lists.py


def test_rfc_8288_3_pages_are_linked_in_header_and_body_alike(caller):
    for _ in range(3):
        write(caller)
    first = caller.get("/jobs", params={"limit": "2"})
    second = caller.get(first.json["next"])

    for page in (first, second):
        linked = {
            relation: path for path, relation in LINK.findall(page.headers["Link"])
        }
        told = {name: page.json[name] for name in ("next", "prev")}
        assert linked == {name: path for name, path in told.items() if path}
    assert first.json["next"]
    assert second.json["prev"]


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x"])
def test_a_bad_limit_is_422(caller, limit):
    assert caller.get("/jobs", params={"limit": limit}).status_code == 422


# Row "conditional"; more in test_conditional.py


def test_rfc_9110_8_8_3_an_item_has_a_strong_etag(caller, job):
    assert re.fullmatch(r'"[!#-~]+"', caller.get(job).headers["ETag"])


def test_rfc_9110_13_1_2_who_has_it_already_is_told_304(caller, job):
    """RFC 9110 §15.4.5: with the ETag, and without a body."""
    tag = caller.get(job).headers["ETag"]
    for given in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = caller.get(job, headers={"If-None-Match": given})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == tag


def test_rfc_9110_13_1_1_an_edit_of_something_else_by_now_is_412(person):
    answer = person.patch({"bio": "x"}, **{"If-Match": '"other"'})

    assert (answer.status_code, answer.json["code"]) == (412, "precondition_failed")


def test_rfc_6585_3_an_edit_without_a_condition_is_428(person):
    answer = person.send("PATCH", person.path, json={"bio": "x"})

    assert (answer.status_code, answer.json["code"]) == (428, "precondition_required")


# Row "limits"; more in test_limits.py


@pytest.fixture
def limited(api_database, caller):
    app = create_app(Settings(database_url=api_database, rate_limit_key="2/minute"))
    return Caller(app, caller.key)


def test_draft_ratelimit_3_and_4_quota_and_what_is_left_are_structured_fields(limited):
    """draft-ietf-httpapi-ratelimit-headers-10: Lists of RFC 9651, items named alike."""
    answer = limited.get("/jobs")
    name, quota, window = POLICY.fullmatch(answer.headers["RateLimit-Policy"]).groups()
    same, remaining, seconds = LEFT.fullmatch(answer.headers["RateLimit"]).groups()

    assert (name, quota, window) == (same, "2", "60")
    assert int(remaining) == 1
    assert 0 < int(seconds) <= int(window)


def test_rfc_6585_4_past_the_quota_it_is_429_with_when_to_come_back(limited):
    """draft-ietf-httpapi-ratelimit-headers-10 §5: its type, and whose quota it was."""
    *_, answer = [limited.get("/jobs") for _ in range(3)]

    assert (answer.status_code, answer.headers["Content-Type"]) == (429, PROBLEM)
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json["type"].endswith("#quota-exceeded")
    assert answer.headers["Cache-Control"] == "no-store"
