"""How these tests are people: with a login and its tokens, or on their way to one."""

import itertools
from datetime import UTC, datetime
from urllib.parse import urlencode

from domain import logins, roles, users
from tests.api.calling import Caller

FORM = "application/x-www-form-urlencoded"
PASSWORD = "tulips grow by the canal"

_numbers = itertools.count(1)


def make_name():
    """Return a username no other test of this process has."""
    return f"person.{next(_numbers)}"


class Person(Caller):
    """Someone with a login: what they send carries its access token."""

    def __init__(self, app, user, refresh_token):
        super().__init__(app)
        self.user = user
        self.id = str(user.id)
        self.path = f"/api/users/{user.id}"
        self.refresh_token = refresh_token
        self.refresh()

    def refresh(self):
        """Exchange the refresh token, and carry what comes back."""
        answer = exchange(Caller(self._client.app), self.refresh_token)
        if answer.status_code == 200:
            self.refresh_token = answer.json["refresh_token"]
            self.access_token = answer.json["access_token"]
        return answer

    def send(self, method, path, *, headers=None, **options):
        own = {"Authorization": f"Bearer {self.access_token}"}
        return super().send(method, path, headers={**own, **(headers or {})}, **options)

    def patch(self, body, *, path=None, **headers):
        """Change the person, as one who has just looked at them."""
        path = path or self.path
        tag = {"If-Match": self.get(self.path).headers["ETag"]}
        return self.send("PATCH", path, json=body, headers={**tag, **headers})

    @property
    def session(self):
        return self.get("/auth/me").json["session"]


def make_person(app, sessions, *held, kind=Person, **fields):
    """Return someone with a login and these roles, without a password unless given."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        given = {"username": make_name(), "now": now, **fields}
        user = users.create(session, **given)
        for role in held:
            longest = roles.LONGEST.get(role)
            ends_at = longest and now + longest
            roles.grant(session, user.id, role, by=None, ends_at=ends_at, now=now)
        begun = logins.start(session, user.id, device="test", now=now)
    return kind(app, user, begun.token)


def register(caller, **fields):
    body = {"username": make_name(), "password": PASSWORD, **fields}
    return caller.post("/auth/register", body)


def log_in(caller, username, password=PASSWORD, **fields):
    form = urlencode({"username": username, "password": password, **fields})
    return caller.post("/auth/token", form.encode(), media=FORM)


def exchange(caller, refresh_token):
    return caller.post("/auth/refresh", {"refresh_token": refresh_token})
