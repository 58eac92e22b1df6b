"""Who demands signatures, who may lift that, and when others know."""

import time

import pytest

from api.demands import Demands
from domain.db import create_engine, session_factory
from domain.settings import Settings
from tests.api.calling import transfer
from tests.api.holders import (
    REQUIRED,
    TRANSFERS,
    Signer,
    refusal,
    send,
)
from tests.factories import make_owner
from tests.waiting import eventually


def test_who_demands_signatures_signs_the_end_of_it(holder):
    unsigned = holder.demand(required=False)
    assert refusal(unsigned) == REQUIRED

    answer = holder.demand(required=False, signer=holder.own)

    assert answer.json == {"signatures_required": False, "since": None}
    assert send(holder, holder.spend()).status_code == 202


def test_who_has_stolen_a_token_neither_adds_a_key_nor_removes_one(holder):
    path = f"{holder.wallets}/{holder.own.wallet}"

    answers = [
        holder.add(Signer()),
        holder.delete(path),
        holder.change(path, {"label": "x"}),
        holder.prove(holder.own),
        holder.demand(required=False),
    ]

    assert [refusal(answer) for answer in answers] == [REQUIRED] * 5
    assert len(holder.get(holder.wallets).json["wallets"]) == 1


def test_a_signed_change_is_not_made_again(holder):
    path = f"{holder.path}/signatures"
    raw = b'{"signatures_required": false}'
    signed = {
        "If-Match": "*",
        "Content-Type": "application/json",
        **holder.own.headers("PATCH", path, raw),
    }

    first = holder.send("PATCH", path, body=raw, headers=signed)
    holder.demand()
    again = holder.send("PATCH", path, body=raw, headers=signed)

    assert first.status_code == 200
    assert refusal(again) == (409, "signature_used")
    assert holder.get(path).json["signatures_required"]


def test_signatures_are_demanded_by_those_who_can_sign(person):
    person.add(Signer())

    assert refusal(person.demand()) == (409, "no_proved_wallet")


def test_the_last_wallet_that_signs_is_kept(holder):
    path = f"{holder.wallets}/{holder.own.wallet}"

    answer = holder.delete(path, headers=holder.own.headers("DELETE", path, b""))

    assert refusal(answer) == (409, "last_proved_wallet")


def test_an_admin_lifts_what_another_demands_and_demands_nothing(
    holder, person, new_person
):
    admin, path = new_person("admin"), f"{holder.path}/signatures"

    lifted = admin.change(path, {"signatures_required": False})
    demanded = admin.change(path, {"signatures_required": True})

    assert lifted.json["signatures_required"] is False
    assert refusal(demanded) == (403, "not_your_account")
    (event, *_) = admin.get(
        "/api/audit/events", params={"subject": f"user:{holder.id}"}
    ).json["events"]
    assert (event["action"], event["actor"]) == ("signatures.lifted", str(admin.id))


@pytest.mark.parametrize("roles", [(), ("operator", "auditor", "council", "moderator")])
def test_other_people_neither_see_nor_lift_it(holder, new_person, roles):
    other, path = new_person(*roles), f"{holder.path}/signatures"
    change = {"Content-Type": "application/json", "If-Match": "*"}
    body = b'{"signatures_required": false}'

    answers = [other.get(path), other.send("PATCH", path, body=body, headers=change)]

    assert [refusal(answer) for answer in answers] == [(403, "not_your_account")] * 2


def test_other_processes_meet_a_demand_within_five_seconds(new_app, person):
    elsewhere = person.at(new_app())
    spend = transfer(str(person.id), make_owner())
    assert send(elsewhere, spend).status_code == 202
    person.signer()
    person.demand()
    began = time.monotonic()

    def refused():
        body = transfer(str(person.id), make_owner())
        return elsewhere.post(TRANSFERS, body).status_code == 403

    eventually(refused, within=5)
    assert time.monotonic() - began <= 5


class Counted:
    """Sessions, and how many were opened."""

    def __init__(self, sessions):
        self._sessions = sessions
        self.opened = 0

    def __call__(self):
        self.opened += 1
        return self._sessions()


def test_demands_are_not_asked_for_with_each_write(api_sessions, holder):
    sessions = Counted(api_sessions)
    demands = Demands(sessions)
    owners = [make_owner(), str(holder.id)]

    found = {demands.among(owners) for _ in range(1_000)}

    assert found == {frozenset({str(holder.id)})}
    assert sessions.opened <= 2


def test_nobody_is_let_by_while_demands_cannot_be_known():
    url = "postgresql://x@127.0.0.1:9/x"
    demands = Demands(session_factory(create_engine(Settings(database_url=url))))

    for _ in range(2):
        with pytest.raises(Exception, match="refused"):
            demands.among([make_owner()])
