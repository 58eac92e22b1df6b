"""Hot reads through Redis: quick, and never older than what a client was told."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY
from redis import Redis

from api.app import create_app
from domain.settings import Settings
from tasks import _copies, balance_name
from tests.api.calling import Caller, operation, pointers
from tests.factories import make_owner

NOBODY = "redis://127.0.0.1:9/0"


@pytest.fixture(scope="module")
def new_cached_app(api_database, redis_url):
    """Return a maker of applications that share one Redis, however slow it is."""

    def make(**settings):
        given = {"redis_url": redis_url, "cache_seconds": 60, **settings}
        return create_app(
            Settings(database_url=api_database, rate_limit_address="off", **given)
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_copies, "SLOW_SECONDS", 5.0)
        yield make


@pytest.fixture(scope="module")
def cached_app(new_cached_app):
    return new_cached_app()


@pytest.fixture
def caller(new_caller, cached_app):
    return new_caller(app=cached_app)


@pytest.fixture(scope="module")
def other_app(new_cached_app):
    return new_cached_app()


@pytest.fixture
def other(caller, other_app):
    """The same caller, at another process."""
    return Caller(other_app, caller.key)


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def fencing(request, monkeypatch, redis_url):
    """A worker that knows of the Redis."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("CACHE_SECONDS", "60")
    request.getfixturevalue("worker")


@pytest.fixture
def owner(caller, fencing):
    """One with ten credits."""
    owner = make_owner()
    caller.done("/ledger", operation(owner))
    return owner


def reads(outcome, what="balance"):
    labels = {"what": what, "outcome": outcome}
    return REGISTRY.get_sample_value("coin_cache_reads_total", labels) or 0


def outcomes(read, what="balance"):
    """Return what a read counted."""
    before = {name: reads(name, what) for name in ("hit", "miss", "away")}
    read()
    return {name: int(reads(name, what) - n) for name, n in before.items()}


HIT = {"hit": 1, "miss": 0, "away": 0}
MISS = {"hit": 0, "miss": 1, "away": 0}
AWAY = {"hit": 0, "miss": 0, "away": 1}
NEITHER = {"hit": 0, "miss": 0, "away": 0}


def test_a_balance_read_twice_is_found_the_second_time(caller, owner):
    first = outcomes(lambda: caller.balance(owner))
    second = outcomes(lambda: caller.balance(owner))

    assert (first, second) == (MISS, HIT)


def test_an_answer_is_the_same_from_either_place(caller, owner):
    answers = [caller.get(f"/{path}/{owner}") for path in ("ledger", "balance")]

    assert answers[0].content == answers[1].content
    assert dict(answers[0].headers)["etag"] == dict(answers[1].headers)["etag"]


def test_what_is_found_is_conditional_too(caller, owner):
    """RFC 9110 §13.1.2; and a 304 is not kept as an answer without a body."""
    tag = caller.get(f"/ledger/{owner}").headers["ETag"]

    same = caller.get(f"/ledger/{owner}", headers={"If-None-Match": tag})
    whole = caller.get(f"/ledger/{owner}")

    assert (same.status_code, same.content) == (304, b"")
    assert (whole.status_code, whole.json["balance"]) == (200, 10)


def test_who_was_told_of_a_write_reads_it_at_any_process(caller, other, owner):
    for number in range(1, 21):
        other.balance(owner)
        told = caller.done("/ledger", operation(owner)).json

        shown = other.get(f"/ledger/{owner}").json

        assert shown["version"] >= told["transfer"]["credit"]["version"]
        assert shown["balance"] == 10 + 10 * number


def test_no_reader_among_many_ever_goes_back(caller, other, owner):
    """Many readers fill the cache while one writes; each sees versions grow."""
    over = threading.Event()

    def read(reader):
        seen = []
        while not over.is_set():
            seen.append(reader.get(f"/ledger/{owner}").json["version"])
        return seen

    def write():
        return caller.done("/ledger", operation(owner)).json["balance"]

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, one) for one in (caller, other) * 2]
        try:
            told = [(write(), other.balance(owner)) for _ in range(40)]
        finally:
            over.set()
    assert [before for before, after in told if after < before] == []
    for reader in readers:
        seen = reader.result()
        assert seen
        assert seen == sorted(seen)


def test_a_batch_and_a_reversal_are_seen_at_once(caller, other, owner):
    other.balance(owner)
    entries = [operation(owner) for _ in range(3)]
    caller.done("/ledger/batches", {"entries": entries})
    after_batch = other.balance(owner)
    made = caller.done("/ledger", operation(owner)).json["transfer"]["id"]
    other.balance(owner)
    body = {"nonce": make_owner("nonce"), "reason": "a slip"}
    caller.done(f"/ledger/transfers/{made}/reversal", body)

    assert (after_batch, other.balance(owner)) == (40, 40)


def test_an_earlier_time_is_never_kept(caller, owner):
    def then():
        return caller.get(f"/ledger/{owner}?at=2026-01-01T00:00:00Z")

    assert outcomes(then) == NEITHER
    assert then().json["balance"] == 0


def test_an_owner_without_account_is_not_kept(caller, redis):
    owner = make_owner()

    assert [outcomes(lambda: caller.balance(owner)) for _ in range(2)] == [MISS] * 2
    assert not redis.exists(balance_name("commons", owner))


def test_a_system_account_is_not_kept(caller, owner):
    assert outcomes(lambda: caller.balance("@issuance")) == NEITHER


def test_content_is_kept(new_caller, cached_app, fencing):
    author, owner = new_caller(app=cached_app, application="content"), make_owner()
    author.fund(owner)
    made = author.done("/content", {"owner_id": owner, "nonce": "1"})
    path = made.headers["Location"]

    first = outcomes(lambda: author.get(path), "content")
    second = outcomes(lambda: author.get(path), "content")

    assert (first, second) == (MISS, HIT)
    assert author.get(path).json == made.json["content"]


# A version at least


def stale(redis_url, owner, version=1, body=b'{"version":1}'):
    """Put a copy that should have been taken away, as when Redis was not told."""
    name = balance_name("commons", owner)
    with Redis.from_url(redis_url) as client:
        client.set(name, b"%d|%b" % (version, body), px=30_000)


def test_who_asks_for_a_version_gets_no_less_whatever_redis_holds(
    caller, other, owner, redis_url
):
    caller.done("/ledger", operation(owner))
    stale(redis_url, owner)

    answer = other.get(f"/ledger/{owner}?min_version=2")

    assert (answer.json["version"], answer.json["balance"]) == (2, 20)


def test_a_copy_of_the_version_asked_for_or_newer_will_do(caller, owner):
    caller.balance(owner)

    assert outcomes(lambda: caller.get(f"/ledger/{owner}?min_version=1")) == HIT
    assert outcomes(lambda: caller.get(f"/ledger/{owner}?min_version=2")) == MISS


def test_a_version_yet_to_come_is_answered_with_the_one_there_is(caller, owner):
    answer = caller.get(f"/ledger/{owner}?min_version=999999999999")

    assert (answer.status_code, answer.json["version"]) == (200, 1)


@pytest.mark.parametrize(
    "version", ["-1", "x", "1.5", "٣", "9" * 19, "1&min_version=2"]
)
def test_what_is_no_version_is_422(caller, version):
    answer = caller.get(
        f"/ledger/{make_owner()}", query_string=f"min_version={version}"
    )

    assert answer.status_code == 422
    assert pointers(answer) == ["?min_version"]


def test_a_version_of_an_earlier_time_is_422(caller):
    query = "at=2026-01-01T00:00:00Z&min_version=2"
    answer = caller.get(f"/ledger/{make_owner()}", query_string=query)

    assert pointers(answer) == ["?min_version"]


@pytest.mark.parametrize("way", ["wait", "job"])
def test_a_process_that_told_of_a_write_shows_nothing_older(
    caller, other, owner, redis_url, way
):
    """Even where Redis was not told of it."""
    if way == "wait":
        caller.done("/ledger", operation(owner))
    else:
        job = caller.post("/ledger", operation(owner)).json["links"]["self"]
        caller.get(job, query_string="wait=20")
    stale(redis_url, owner)

    assert caller.get(f"/ledger/{owner}").json["version"] == 2
    assert other.get(f"/ledger/{owner}").json["version"] == 2


# Redis away, or not wanted


def test_without_redis_reads_are_answered_from_the_database(
    new_caller, new_cached_app, owner, caller
):
    away = Caller(new_cached_app(redis_url=NOBODY), caller.key)

    assert [outcomes(lambda: away.balance(owner)) for _ in range(3)] == [AWAY] * 3
    assert away.balance(owner) == 10


@pytest.mark.parametrize("setting", [{"redis_url": ""}, {"cache_seconds": 0}])
def test_where_nothing_is_to_be_kept_nothing_is_looked_for(
    caller, new_cached_app, owner, setting
):
    plain = Caller(new_cached_app(**setting), caller.key)

    assert outcomes(lambda: plain.balance(owner)) == NEITHER
    assert plain.balance(owner) == 10


# Cache poisoning: CWE-349, CWE-444. What one sends changes no other's answer.


POISON = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Scheme": "http",
    "X-Original-URL": "/ledger/mallory",
    "X-Rewrite-URL": "/ledger/mallory",
    "X-HTTP-Method-Override": "DELETE",
    "Accept": "text/html",
    "Accept-Language": "xx",
    "Range": "bytes=0-1",
    "Origin": "https://evil.example",
    "X-Request-ID": "poison",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "Cookie": "a=b",
    "If-None-Match": "*",
}


@pytest.mark.parametrize("name", POISON)
def test_no_header_of_the_first_reader_reaches_the_next(caller, owner, name):
    caller.get(f"/ledger/{owner}", headers={name: POISON[name]})

    answer = caller.get(f"/ledger/{owner}")

    assert answer.status_code == 200
    assert answer.json["balance"] == 10
    assert POISON[name] not in answer.text
    assert POISON[name] not in {
        value for header, value in answer.headers.items() if header != "cache-control"
    }


@pytest.mark.parametrize("name", POISON)
def test_no_header_leads_to_another_copy(caller, owner, name):
    """The key is the application and the owner alone: nothing unkeyed, nothing more."""
    caller.balance(owner)

    assert (
        outcomes(lambda: caller.get(f"/ledger/{owner}", headers={name: POISON[name]}))
        == HIT
    )


def test_applications_do_not_share_copies(caller, new_caller, cached_app, owner):
    neighbour = new_caller(app=cached_app, application="content")
    caller.balance(owner)

    assert neighbour.balance(owner) == 0


@pytest.fixture
def others(new_person, new_caller, cached_app):
    """Some who may not read just any balance, and what each is answered."""
    return {
        new_caller("ledger:spend", app=cached_app): 403,
        Caller(cached_app): 401,
        new_person(app=cached_app): 403,
    }


def test_a_copy_is_shown_only_to_those_who_may_read(caller, owner, others):
    caller.balance(owner)

    statuses = {one: one.get(f"/ledger/{owner}").status_code for one in others}

    assert statuses == others


def test_an_error_is_never_kept(caller, owner, redis):
    before = set(redis.scan_iter("coin:balance:*"))
    for query in ("min_version=x", "at=x", "nothing=1"):
        assert caller.get(f"/ledger/{owner}", query_string=query).status_code == 422
    caller.get("/ledger/a b")
    caller.get("/ledger/@nobody")

    assert set(redis.scan_iter("coin:balance:*")) == before


def test_a_head_request_leaves_the_body_to_the_next(caller, owner):
    caller.send("HEAD", f"/ledger/{owner}")

    assert caller.balance(owner) == 10


def test_names_that_look_like_keys_are_only_names(caller, owner):
    """`:` is allowed in a name: none of them is another's key."""
    crafty = [f"content:{owner}", f"{owner}:commons", f"balance:commons:{owner}"]
    for name in crafty:
        caller.done("/ledger", operation(name))
        caller.done("/ledger", operation(name))
        caller.balance(name)

    assert caller.balance(owner) == 10
    assert [caller.balance(name) for name in crafty] == [20] * 3


def test_shared_caches_on_the_way_keep_nothing(caller, owner):
    """RFC 9111 §5.2.2.5."""
    caller.balance(owner)

    assert caller.get(f"/ledger/{owner}").headers["Cache-Control"] == "no-store"
