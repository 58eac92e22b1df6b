"""What is public is made once a second; nobody gets what was made for another."""

import pytest

from api.observer.kept import Kept
from api.observer.snapshots import FRESH_SECONDS
from tests.api.calling import Caller

PUBLIC = "public, max-age=1"


class Origin:
    """A WSGI application that counts, and says how it may be kept."""

    def __init__(self):
        self.asked = 0
        self.status = "200 OK"
        self.control = PUBLIC

    def __call__(self, _environ, start_response):
        self.asked += 1
        fields = {"cache-control": self.control, "x-request-id": str(self.asked)}
        start_response(self.status, [*fields.items(), ("content-type", "text/plain")])
        return [str(self.asked).encode()]


class Clock:
    seconds = 100.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def origin():
    return Origin()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kept(origin, clock):
    return Caller(Kept(origin, clock))


def test_it_is_made_once_a_second(kept, clock):
    assert [kept.get("/a").text for _ in range(3)] == ["1", "1", "1"]
    clock.seconds += FRESH_SECONDS
    assert kept.get("/a").text == "2"


def test_every_answer_has_an_id_of_its_own(kept):
    answers = [kept.get("/a") for _ in range(3)]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 3
    assert all(answer.headers["Cache-Control"] == PUBLIC for answer in answers)


def test_another_target_is_another_answer(kept):
    assert kept.get("/a").text != kept.get("/b").text
    assert kept.get("/a", params={"limit": "1"}).text == "3"
    assert kept.get("/a").text == "1"


@pytest.mark.parametrize(
    "field", ["Authorization", "X-API-Key", "X-Token", "If-None-Match"]
)
def test_who_shows_something_is_let_through(kept, field):
    kept.get("/a")
    assert kept.get("/a", headers={field: "mine"}).text == "2"
    assert kept.get("/a").text == "1"


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
def test_other_methods_are_let_through(kept, origin, method):
    kept.get("/a")
    kept.send(method, "/a")
    assert origin.asked == 2


@pytest.mark.parametrize(
    ("status", "control"),
    [
        ("200 OK", "private, no-cache"),
        ("200 OK", "no-store"),
        ("503 Service Unavailable", PUBLIC),
        ("400 Bad Request", PUBLIC),
    ],
)
def test_what_is_not_everybodys_is_never_kept(kept, origin, status, control):
    origin.status, origin.control = status, control
    assert [kept.get("/a").text for _ in range(2)] == ["1", "2"]


def test_many_targets_fill_no_memory(kept):
    for number in range(500):
        kept.get("/a", params={"limit": str(number)})
    assert len(kept._client.app._answers) <= 64


def test_the_node_shows_a_credentials_view_to_nobody_else(node, caller):
    """The same address, asked by all, by an auditor, and by all again."""
    front = Caller(Kept(node._client.app))
    key = caller.key
    public = front.get("/api/audit_summary").json
    private = front.get("/api/audit_summary", headers={"X-API-Key": key}).json
    again = front.get("/api/audit_summary").json
    assert public["personal_data"] == again["personal_data"]
    assert private["personal_data"] != public["personal_data"]
