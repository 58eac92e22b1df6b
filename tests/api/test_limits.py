"""Rate limits on the wire: RateLimit of draft-ietf-httpapi-ratelimit-headers-11."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from api import limits
from api.app import create_app
from domain.settings import Settings
from tests.api.calling import NDJSON, PROBLEM, Caller, operation
from tests.factories import make_owner

NETWORK = "2001:db8:{:x}:1::1"
POLICY = re.compile(r'"([a-z-]+)";q=(\d+);w=(\d+)')
LEFT = re.compile(r'"([a-z-]+)";r=(\d+);t=(\d+)')


@pytest.fixture
def make_app(api_database):
    """Return a maker of an API with limits of its own."""

    def make(**settings):
        return create_app(Settings(database_url=api_database, **settings))

    return make


@pytest.fixture
def key(new_caller):
    return new_caller().key


class From:
    """Someone at an address."""

    def __init__(self, app, address="198.51.100.7", key=None):
        self.caller = Caller(app, key)
        self.address = address

    def get(self, path, **options):
        return self.caller.get(path, remote_addr=self.address, **options)

    def post(self, path, body=None, **options):
        return self.caller.post(path, body, remote_addr=self.address, **options)

    def statuses(self, path, times):
        return [self.get(path).status_code for _ in range(times)]


def policy(answer):
    name, quota, window = POLICY.fullmatch(answer.headers["RateLimit-Policy"]).groups()
    return name, int(quota), int(window)


def left(answer):
    name, remaining, seconds = LEFT.fullmatch(answer.headers["RateLimit"]).groups()
    return name, int(remaining), int(seconds)


def batch(entries):
    return {"entries": [operation(make_owner()) for _ in range(entries)]}


def test_every_answer_that_is_limited_says_what_is_left(make_app, key):
    """§3 and §4: lists of structured fields, named alike."""
    someone = From(make_app(rate_limit_key="50/minute"), key=key)
    answers = [someone.get("/ledger/alice"), someone.get("/ledger/alice")]

    assert [policy(answer) for answer in answers] == [("key-read", 50, 60)] * 2
    assert [left(answer)[:2] for answer in answers] == [
        ("key-read", 49),
        ("key-read", 48),
    ]
    assert 0 < left(answers[0])[2] <= 60


@pytest.mark.parametrize("path", ["/problems/blocked", "/nowhere", "/jobs"])
def test_so_does_one_to_a_stranger_whatever_it_is(make_app, path):
    answer = From(make_app(rate_limit_address="50/minute")).get(path)

    assert policy(answer) == ("address", 50, 60)
    assert left(answer)[:2] == ("address", 49)


def test_past_the_quota_it_is_429_with_when_to_come_back(make_app, key):
    """§5.1, RFC 6585 §4; Retry-After is not before the end of t (§7)."""
    someone = From(make_app(rate_limit_key="2/minute"), key=key)
    assert someone.statuses("/ledger/alice", 2) == [200, 200]

    answer = someone.get("/ledger/alice")

    assert (answer.status_code, answer.headers["Content-Type"]) == (429, PROBLEM)
    assert int(answer.headers["Retry-After"]) >= left(answer)[2] > 0
    assert left(answer)[1] == 0
    assert answer.json["code"] == "rate_limited"
    assert answer.json["violated-policies"] == ["key-read"]
    assert answer.json["type"].endswith("http-problem-types#quota-exceeded")
    assert answer.headers["Cache-Control"] == "no-store"


def test_reading_does_not_use_up_what_writing_needs(make_app, key):
    someone = From(make_app(rate_limit_key="2/minute"), key=key)
    someone.statuses("/ledger/alice", 3)

    answer = someone.post("/ledger", operation(make_owner()))

    assert (answer.status_code, left(answer)) == (
        202,
        ("key-write", 1, left(answer)[2]),
    )


def test_each_key_has_a_quota_of_its_own_wherever_it_is_used(make_app, new_caller):
    app = make_app(rate_limit_key="2/minute")
    one, other = new_caller().key, new_caller().key

    assert From(app, "192.0.2.1", one).statuses("/jobs", 3) == [200, 200, 429]
    assert From(app, "192.0.2.2", one).statuses("/jobs", 1) == [429]
    assert From(app, "192.0.2.1", other).statuses("/jobs", 1) == [200]


@pytest.mark.parametrize("lines", [False, True])
def test_a_batch_counts_by_its_entries(make_app, key, lines):
    someone = From(make_app(rate_limit_key="20/minute"), key=key)

    def send(entries):
        body = batch(entries)
        if not lines:
            return someone.post("/ledger/batches", body)
        text = "\n".join(re.sub("'", '"', str(one)) for one in body["entries"])
        return someone.post("/ledger/batches", text.encode(), media=NDJSON)

    first, second, third = send(15), send(6), send(5)

    assert (first.status_code, left(first)[1]) == (202, 5)
    assert (second.status_code, second.json["code"]) == (429, "rate_limited")
    # Refused, each of them still was one request.
    assert (third.status_code, left(third)[1]) == (429, 3)
    assert send(3).status_code == 202


def test_a_batch_that_would_never_fit_is_told_so(make_app, key, stored_jobs):
    someone = From(make_app(rate_limit_key="20/minute"), key=key)
    before = stored_jobs()

    answer = someone.post("/ledger/batches", batch(30))

    assert answer.status_code == 429
    assert "at most 20 at a time" in answer.json["detail"]
    assert stored_jobs() == before


def test_limits_that_are_off_say_nothing(make_app, key):
    app = make_app(rate_limit_key="off", rate_limit_address="off")

    for answer in (From(app, key=key).get("/jobs"), From(app).get("/nowhere")):
        assert "RateLimit" not in answer.headers
        assert "RateLimit-Policy" not in answer.headers


def test_application_keys_are_not_held_up_by_default(make_app, key):
    someone = From(make_app(), key=key)
    _, quota, window = policy(someone.get("/jobs"))

    assert quota / window >= 10_000


def test_an_address_is_refused_before_its_key_is_looked_up(make_app, key):
    app = make_app(rate_limit_address="3/minute")
    From(app).statuses("/nowhere", 3)
    asked = []
    engine = app._middleware[1][0].__self__._credentials._keys._sessions.kw["bind"]
    sa.event.listen(engine, "begin", lambda _: asked.append(1))

    assert From(app, key="x" * 60).get("/jobs").status_code == 429
    assert asked == []


def test_who_is_known_goes_on_though_others_use_up_the_address(make_app, key):
    """Many people may share one: it is no reason to lock them all out."""
    app = make_app(rate_limit_address="5/minute")
    known = From(app, key=key)
    assert known.get("/jobs").status_code == 200

    assert 429 in From(app).statuses("/nowhere", 10)

    assert known.statuses("/jobs", 5) == [200] * 5


def test_a_key_that_is_known_no_longer_counts_for_its_address_again(
    make_app, new_caller, api_sessions
):
    app = make_app(rate_limit_address="50/minute")
    gone = From(app, key="nobody's")
    answers = [gone.get("/jobs") for _ in range(2)]

    assert [left(answer)[1] for answer in answers] == [49, 48]


def test_one_address_does_not_use_up_anothers(make_app):
    app = make_app(rate_limit_address="2/minute")

    assert From(app, "192.0.2.1").statuses("/nowhere", 3) == [404, 404, 429]
    assert From(app, "192.0.2.2").statuses("/nowhere", 1) == [404]


def test_addresses_of_one_ipv6_network_are_one(make_app):
    app = make_app(rate_limit_address="2/minute")
    statuses = [
        From(app, f"2001:db8::{number}").get("/nowhere").status_code
        for number in range(4)
    ]

    assert statuses == [404, 404, 429, 429]


def test_a_forged_header_is_no_other_address(make_app):
    app = make_app(rate_limit_address="2/minute")
    statuses = [
        From(app).get("/nowhere", headers={name: value.format(number)}).status_code
        for number, (name, value) in enumerate(
            [
                ("X-Forwarded-For", "192.0.2.{}"),
                ("Forwarded", "for=192.0.2.{}"),
                ("X-Real-IP", "192.0.2.{}"),
                ("X-Forwarded-For", "10.0.0.{}"),
            ]
        )
    ]

    assert statuses == [404, 404, 429, 429]


def test_behind_a_proxy_that_is_trusted_clients_are_told_apart(make_app):
    app = make_app(rate_limit_address="1/minute", trusted_proxies="198.51.100.0/24")
    statuses = [
        From(app).get("/nowhere", headers={"X-Forwarded-For": one}).status_code
        for one in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "9.9.9.9, 192.0.2.2")
    ]

    assert statuses == [404, 404, 429, 429]


def test_whether_it_lives_is_told_whatever_happens(make_app):
    app = make_app(rate_limit_address="1/minute")

    assert From(app).statuses("/health", 20) == [200] * 20


def test_whether_it_is_ready_is_told_though_others_flood_it(make_app):
    app = make_app(rate_limit_address="3/minute")
    From(app).statuses("/nowhere", 10)

    assert 429 not in From(app).statuses("/status/ready", 3)
    assert From(app).get("/status/ready").status_code == 429


def test_logins_are_counted_apart_and_for_who_is_known_too(make_app, key):
    app = make_app(rate_limit_login="2/minute")
    known = From(app, key=key)
    known.get("/jobs")

    refused = [status == 429 for status in known.statuses("/auth/token", 3)]

    assert refused == [False, False, True]
    assert known.get("/jobs").status_code == 200
    assert policy(known.get("/auth/token"))[0] == "login"


def test_a_thousand_answers_at_once_are_counted_one_by_one(make_app):
    app = make_app(rate_limit_login="40/minute")

    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(lambda _: From(app).get("/auth/token").status_code, range(100))
        )

    assert statuses.count(429) >= 60


def test_processes_share_what_is_left(make_app, redis_url):
    address = f"192.0.2.{hash(redis_url) % 200}"
    settings = {"rate_limit_login": "10/minute", "redis_url": redis_url}
    two = [From(make_app(**settings), address) for _ in range(2)]

    statuses = [two[number % 2].get("/auth/token").status_code for number in range(14)]

    assert [status == 429 for status in statuses] == [False] * 10 + [True] * 4


class TestWhoFailsOften:
    """Slowed down first; who goes on is blocked for a while, or until let in again."""

    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch):
        monkeypatch.setattr(limits, "_STRIKES", "10/10 minutes")
        monkeypatch.setattr(limits, "_STRIKES_BLOCKED", 20)

    @pytest.fixture
    def app(self, make_app):
        return make_app(rate_limit_address="500/minute", rate_limit_key="100/minute")

    @pytest.fixture
    def address(self):
        return NETWORK.format(hash(make_owner()) % 0xFFFF)

    def test_is_slowed_down_to_a_tenth(self, app, address):
        prober = From(app, address)
        answers = [prober.get("/nowhere") for _ in range(12)]

        assert policy(answers[0]) == ("address", 500, 60)
        assert policy(answers[-1]) == ("address", 50, 60)

    @pytest.mark.parametrize("path", ["/nowhere", "/jobs"])
    def test_whether_by_probing_or_by_guessing(self, app, address, path):
        prober = From(app, address)
        prober.statuses(path, 11)

        assert policy(prober.get("/problems/blocked"))[1] == 50

    def test_nobody_else_is(self, app, address):
        From(app, address).statuses("/nowhere", 15)

        assert policy(From(app, "192.0.2.77").get("/nowhere"))[1] == 500

    def test_who_shows_a_key_at_that_address_is_not(self, app, address, key):
        From(app, address).statuses("/nowhere", 15)

        assert policy(From(app, address, key).get("/jobs")) == ("key-read", 100, 60)

    def test_who_asks_too_much_is_slowed_down_and_not_for_ever(self, make_app, address):
        """Being slowed down is the answer; it does not count as another failure."""
        app = make_app(rate_limit_address="20/minute")
        greedy = From(app, address)
        greedy.statuses("/problems/blocked", 200)
        strikes = limits_of(app)._strikes

        [subject] = strikes._counters
        assert strikes._counters[subject].count == 11

    def test_a_key_that_is_refused_again_and_again_is_slowed_down(
        self, app, new_caller, address
    ):
        someone = From(app, address, new_caller("ledger:spend").key)
        other = From(app, address, new_caller().key)
        for _ in range(150):
            someone.post("/ledger", {})
        assert someone.post("/ledger", {}).status_code == 429

        assert policy(someone.post("/ledger", {})) == ("key-write", 10, 60)
        assert policy(other.get("/jobs")) == ("key-read", 100, 60)

    def test_is_blocked_after_that_for_a_while(self, app, address):
        prober = From(app, address)
        prober.statuses("/nowhere", 21)

        answer = prober.get("/problems/blocked")

        assert (answer.status_code, answer.json["code"]) == (403, "blocked")
        assert 0 < int(answer.headers["Retry-After"]) <= 900
        assert answer.json["type"].endswith("#abnormal-usage-detected")

    def test_but_not_who_shows_a_key_at_that_address_or_would_get_one(
        self, app, address, key
    ):
        From(app, address).statuses("/nowhere", 21)

        assert From(app, address, key).get("/jobs").status_code == 200
        assert From(app, address).get("/auth/token").status_code != 403

    def test_is_let_in_again_by_an_operator(self, app, address, key):
        prober, operator = From(app, address), From(app, "192.0.2.1", key)
        prober.statuses("/nowhere", 21)
        [block] = [
            one
            for one in operator.get("/api/immune/blocklist").json["blocks"]
            if address.startswith(one["address"].removesuffix("::/64"))
        ]
        assert (block["automatic"], block["actor"]) == (True, None)

        operator.caller.delete(f"/api/immune/blocklist/{block['id']}")

        # And is neither blocked again by the next slip, nor slow.
        answer = prober.get("/nowhere")
        assert (answer.status_code, policy(answer)[1]) == (404, 500)
        assert prober.get("/nowhere").status_code == 404


def limits_of(app):
    """Return the API's middleware that limits."""
    [found] = {
        method.__self__
        for stack in app._middleware
        for method in stack
        if isinstance(method.__self__, limits.Limits)
    }
    return found
