"""The blocklist: seen, added to, taken from by operators, and held by everyone."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from api import blocklist
from api.app import create_app
from domain import keys
from domain.keys import SCOPES
from domain.settings import Settings
from tests.api.calling import Caller, pointers
from tests.factories import make_owner

PATH = "/api/immune/blocklist"
REASON = {"reason": "sends spam"}


@pytest.fixture
def address():
    """Return an address of a test's own."""
    number = int(make_owner().rpartition("-")[2])
    return f"203.{number % 250}.{number // 250}.{time.time_ns() % 250}"


@pytest.fixture
def block(caller):
    """Return a function that blocks, as an operator."""

    def block(**fields):
        return caller.post(PATH, {**REASON, **fields})

    return block


@pytest.fixture
def other_process(api_database):
    return create_app(Settings(database_url=api_database, rate_limit_address="off"))


def ask(app, address, *, key=None, path="/problems/blocked"):
    return Caller(app, key).get(path, remote_addr=address)


def test_who_is_blocked_is_refused_everything_but_liveness(app, block, address, caller):
    assert block(address=address).status_code == 201

    answers = [
        ask(app, address),
        ask(app, address, path="/jobs"),
        ask(app, address, path="/nowhere"),
        ask(app, address, path="/auth/token"),
        # Even who is known: this was an operator's decision.
        ask(app, address, path="/jobs", key=caller.key),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json["code"] for answer in answers} == {"blocked"}
    assert ask(app, address, path="/health").status_code == 200


def test_others_are_not(app, block, address):
    block(address=address)

    assert ask(app, "192.0.2.5").status_code == 200


def test_the_answer_says_when_it_ends_and_not_why(app, block, address):
    block(address=address, seconds=500)

    answer = ask(app, address)

    assert 490 <= int(answer.headers["Retry-After"]) <= 500
    assert REASON["reason"] not in answer.text


def test_a_network_is_all_its_addresses(app, block):
    block(address="198.18.0.0/16")

    assert ask(app, "198.18.7.9").status_code == 403
    assert ask(app, "198.19.0.1").status_code == 200


def test_an_ipv6_address_is_blocked_with_its_network(app, block):
    created = block(address="2001:db8:77::1")

    assert created.json["address"] == "2001:db8:77::/64"
    assert ask(app, "2001:db8:77::2").status_code == 403


def test_a_principal_is_blocked_wherever_it_calls_from(
    app, block, new_caller, api_sessions
):
    someone = new_caller()
    listed = someone.get("/jobs").status_code
    with api_sessions() as session:
        found = keys.authenticate(session, someone.key, now=datetime.now(UTC))

    block(principal=str(found.id))

    assert (listed, someone.get("/jobs").json["code"]) == (200, "blocked")
    assert ask(app, "192.0.2.9", key=someone.key, path="/jobs").status_code == 403


def test_a_block_ends_by_itself(app, block, address, monkeypatch):
    block(address=address, seconds=100)
    assert ask(app, address).status_code == 403

    now = time.time() + 101
    monkeypatch.setattr(time, "time", lambda: now)

    assert ask(app, address).status_code == 200


def test_every_process_knows_within_five_seconds(
    other_process, block, address, monkeypatch
):
    assert ask(other_process, address).status_code == 200
    block(address=address)
    at_once = ask(other_process, address).status_code

    now = time.monotonic() + 4.9
    monkeypatch.setattr(time, "monotonic", lambda: now)

    assert (at_once, ask(other_process, address).status_code) == (200, 403)


def test_a_restart_forgets_nothing(api_database, block, address):
    block(address=address)

    fresh = create_app(Settings(database_url=api_database))

    assert ask(fresh, address).status_code == 403


def test_requests_do_not_ask_the_database_who_is_blocked(
    other_process, address, monkeypatch
):
    looks = []
    unexpired = blocklist.blocklist.unexpired
    monkeypatch.setattr(
        blocklist.blocklist,
        "unexpired",
        lambda *given, **named: looks.append(1) or unexpired(*given, **named),
    )

    for _ in range(50):
        ask(other_process, address)

    assert len(looks) <= 3


def test_what_is_known_counts_while_the_database_is_away(
    other_process, block, address, monkeypatch
):
    block(address=address)
    assert ask(other_process, address).status_code == 403

    def away(*_given, **_named):
        raise blocklist.SQLAlchemyError("away")

    monkeypatch.setattr(blocklist.blocklist, "unexpired", away)
    now = time.monotonic() + 10
    monkeypatch.setattr(time, "monotonic", lambda: now)

    assert ask(other_process, address).status_code == 403
    assert ask(other_process, "192.0.2.5").status_code == 200


def test_a_block_says_who_made_it_why_and_until_when(caller, block, address):
    created = block(address=address, seconds=60)

    shown = caller.get(created.headers["Location"])

    assert shown.json == created.json
    assert shown.headers["ETag"]
    made, ends = (
        datetime.fromisoformat(shown.json[name])
        for name in ("created_at", "expires_at")
    )
    assert ends - made == timedelta(seconds=60)
    assert shown.json["standing"]
    assert not shown.json["automatic"]
    assert shown.json["actor"]
    assert (shown.json["reason"], shown.json["address"]) == (
        REASON["reason"],
        f"{address}/32",
    )


def test_it_lasts_an_hour_unless_one_says_otherwise(block, address):
    created = block(address=address).json

    made, ends = (
        datetime.fromisoformat(created[name]) for name in ("created_at", "expires_at")
    )
    assert ends - made == timedelta(hours=1)


def test_lifting_a_block_lets_in_again_and_keeps_the_record(
    app, caller, block, address
):
    path = block(address=address).headers["Location"]
    assert ask(app, address).status_code == 403

    answers = [caller.delete(path), caller.delete(path)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert ask(app, address).status_code == 200
    shown = caller.get(path).json
    assert not shown["standing"]
    assert shown["lifted_at"]
    assert shown["lifted_by"]


def test_all_can_be_lifted_at_once(app, caller, block, address):
    block(address=address)

    answer = caller.delete(PATH)

    assert answer.json["lifted"] >= 1
    assert caller.get(PATH).json["blocks"] == []
    assert ask(app, address).status_code == 200


def recorded(caller, subject):
    events = caller.get("/api/audit/events", params={"subject": subject}).json["events"]
    return [(event["action"], event["actor"], event["details"]) for event in events]


def test_blocks_are_recorded_when_they_are_made_and_lifted(caller, block, address):
    made = block(address=address).json
    path, subject = f"{PATH}/{made['id']}", f"block:{made['id']}"
    for _ in range(2):
        caller.delete(path)

    assert recorded(caller, subject) == [
        ("block.lifted", made["actor"], {}),
        ("block.added", made["actor"], {"expires_at": made["expires_at"]}),
    ]


def test_lifting_all_is_recorded_when_any_stood(caller, block, address):
    before = len(recorded(caller, "block:all"))
    made = block(address=address).json
    lifted = [caller.delete(PATH).json for _ in range(2)]
    events = recorded(caller, "block:all")

    assert len(events) == before + 1
    assert events[0] == ("block.lifted", made["actor"], lifted[0])
    assert lifted[1] == {"lifted": 0}


def test_automatic_blocks_are_recorded_as_nobodys(admin, api_sessions, address):
    known = blocklist.Blocklist(api_sessions)
    known.block(f"{address}/32", seconds=60, reason="too many failures")
    (made,) = admin.get(PATH, params={"limit": "1"}).json["blocks"]

    assert recorded(admin, f"block:{made['id']}") == [
        ("block.added", None, {"expires_at": made["expires_at"]})
    ]


def test_the_list_shows_what_stands_or_all_there_ever_were(caller, block, address):
    path = block(address=address).headers["Location"]
    caller.delete(path)
    identifier = path.rpartition("/")[2]

    def ids(query):
        return [one["id"] for one in caller.get(PATH + query).json["blocks"]]

    assert identifier not in ids("")
    assert ids("?state=all&limit=1") == [identifier]


def test_an_unknown_block_is_404(caller):
    path = f"{PATH}/00000000-0000-0000-0000-000000000000"

    assert [caller.get(path).json["code"], caller.delete(path).json["code"]] == [
        "no_such_block",
        "no_such_block",
    ]


BAD = {
    "nobody": {},
    "two": {
        "address": "192.0.2.1",
        "principal": "00000000-0000-0000-0000-000000000001",
    },
    "no address": {"address": "example.org"},
    "the world": {"address": "0.0.0.0/0"},
    "for ever": {"address": "192.0.2.1", "seconds": 10**9},
    "not at all": {"address": "192.0.2.1", "seconds": 0},
    "no reason": {"address": "192.0.2.1", "reason": ""},
    "a line break": {"address": "192.0.2.1", "reason": "a\nb"},
    "something else": {"address": "192.0.2.1", "colour": "red"},
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_cannot_be_blocked_is_422(block, body):
    assert block(**body).status_code == 422


def test_a_fault_is_pointed_at(block):
    assert pointers(block(address="192.0.2.1", seconds="long")) == ["/seconds"]


@pytest.mark.parametrize("own", ["127.0.0.1", "127.0.0.0/16"])
def test_nobody_blocks_their_own_address(caller, own):
    answer = caller.post(PATH, {**REASON, "address": own}, remote_addr="127.0.0.1")

    assert (answer.status_code, answer.json["code"]) == (409, "blocks_yourself")


def test_nobody_blocks_their_own_key(caller, api_sessions):
    with api_sessions() as session:
        own = keys.authenticate(session, caller.key, now=datetime.now(UTC))

    answer = caller.post(PATH, {**REASON, "principal": str(own.id)})

    assert (answer.status_code, answer.json["code"]) == (409, "blocks_yourself")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PATH),
        ("POST", PATH),
        ("DELETE", PATH),
        ("GET", f"{PATH}/00000000-0000-0000-0000-000000000000"),
        ("DELETE", f"{PATH}/00000000-0000-0000-0000-000000000000"),
    ],
)
def test_it_needs_a_scope_of_its_own(new_caller, method, path):
    without = new_caller(*[scope for scope in SCOPES if scope != "abuse:operate"])

    answer = without.send(method, path)

    assert (answer.status_code, answer.json["scope"]) == (403, "abuse:operate")
