"""Every route and method, as everyone there is, held to the table of permissions.

What is expected is computed from RULES alone: no route has an exception here.
"""

import pytest

from api import permissions
from api.permissions import RULES, Rule
from domain.keys import SCOPES
from tests.api.calling import Caller
from tests.api.test_methods import ROUTES
from tests.api.walking import THINGS, World, WorldOfOne, ask, choices, parts

SAFE = {"GET", "HEAD"}
# What a worker finds out: the answer waits for it.
DECIDED_LATER = {"/ledger/transfers/{transfer_id:uuid}/reversal"}
WALK = sorted((method, route) for route in ROUTES for method in ROUTES[route])

UNKNOWN = {401}
FORBIDDEN = {403}
# A thing of another's is as if it were not there, or it is said that it is another's.
HIDDEN = {403, 404}
# Let in, whatever is then said of what was sent.
LET_IN = {*range(200, 500), 503} - {401, 403, 404, 405, 429}


def expected(method, route, party, foreign):
    """Return the statuses the table allows."""
    rule = RULES["GET" if method == "HEAD" else method, route]
    if rule.open:
        return LET_IN
    if party.kind == "nobody":
        return UNKNOWN
    anyones = party.roles & rule.others
    may = (
        (not rule.scope or rule.scope in party.scopes)
        and rule.application in {"", party.application}
        and (party.kind == "key" or rule.own or anyones)
    )
    if not may:
        return FORBIDDEN
    return HIDDEN if foreign and not anyones else LET_IN


@pytest.fixture(scope="module")
def world(app, api_sessions):
    return World(app, api_sessions)


@pytest.fixture(scope="module")
def keys(world):
    """Nobody, and keys: what they do to things is no harm to themselves."""
    return list(world.keys())


@pytest.fixture
def asked(request):
    """A method and a route, and a worker where one decides."""
    method, route = request.param
    if route in DECIDED_LATER:
        request.getfixturevalue("worker")
    return method, route


def each(walk):
    return pytest.mark.parametrize("asked", walk, ids=" ".join, indirect=True)


@pytest.fixture(scope="module")
def readers(world):
    """People who only look, and are the same afterwards."""
    return world.people()


@each(WALK)
def test_everyone_may_do_what_the_table_says(asked, world, keys, readers):
    method, route = asked
    people = readers if method in SAFE else world.people()
    wrong = []
    for party in [*keys, *people]:
        for foreign in choices(route, party):
            status = ask(world, party, method, route, foreign).status_code
            if status not in expected(method, route, party, foreign):
                wrong.append((party.name, foreign, status))

    assert wrong == []


@each([one for one in WALK if parts(one[1])])
def test_what_is_anothers_is_answered_as_what_is_not_there(asked, world):
    """Whoever tries ids (CWE-639) does not even learn which there are."""
    method, route = asked
    empty = WorldOfOne(world.app, world.sessions)
    for party in (world.key("a key", *SCOPES), world.person("member")):
        for foreign in choices(route, party)[:-1]:
            if expected(method, route, party, foreign) != HIDDEN:
                continue
            answers = [
                ask(one, party, method, route, foreign) for one in (world, empty)
            ]
            there, nowhere = ((a.status_code, _code(a)) for a in answers)
            assert there == nowhere


def _code(answer):
    return answer.json["code"] if answer.content else None


def test_every_part_of_a_path_has_somebody_it_belongs_to():
    """Name it in `tests/api/walking.py`, and who may not see another's."""
    assert {part for route in ROUTES for part in parts(route)} == THINGS.keys()


class Page:
    def on_get(self, _req, resp):
        resp.text = "a secret"


def test_a_route_without_a_rule_is_nobodys(new_app, new_caller, new_person):
    app = new_app()
    app.add_route("/forgotten", Page())
    callers = [Caller(app), new_caller(*SCOPES, app=app), new_person("admin", app=app)]
    answers = [caller.get("/forgotten") for caller in callers]

    assert [answer.status_code for answer in answers] == [401, 403, 403]
    assert "a secret" not in "".join(answer.text for answer in answers)


def test_what_is_for_roles_is_not_for_those_who_only_have_its_scope(
    new_app, new_caller, new_person, monkeypatch
):
    rule = Rule("ledger:read", frozenset({"operator"}), own=False)
    monkeypatch.setattr(permissions, "RULES", {**RULES, ("GET", "/page"): rule})
    app = new_app()
    app.add_route("/page", Page())
    callers = [
        new_person(app=app),
        new_person("operator", app=app),
        new_caller(*SCOPES, app=app),
    ]

    statuses = [caller.get("/page").status_code for caller in callers]
    assert statuses == [403, 200, 200]
