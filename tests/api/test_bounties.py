"""Bounties over HTTP, with a worker that moves the credits."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.webhooks.outbox import DEED_EVENTS
from tests.api.calling import make_nonce
from tests.api.proposing import draft
from tests.api.webhooks import Listener

ALL = "/api/bounties"


def body(**fields):
    expires = datetime.now(UTC) + timedelta(days=30)
    return {
        "title": "Water the tulips",
        "description": "Twice a week.\nAll of them.",
        "reward": 4,
        "participants_max": 2,
        "expires_at": expires.isoformat(),
        "nonce": make_nonce(),
        **fields,
    }


def nonce():
    return {"nonce": make_nonce()}


@pytest.fixture
def creator(caller, new_person, worker):
    creator = new_person()
    caller.fund(creator.id)
    return creator


@pytest.fixture
def bounty(creator):
    return creator.done(ALL, body()).headers["Location"]


def wealth(caller, person):
    return caller.balance(person.id)


def test_credits_are_held_claimed_paid_and_returned(
    caller, creator, new_person, bounty
):
    person = new_person()
    claimed = person.post(f"{bounty}/claims", {"proof": "See there."})
    path = f"{bounty}/claims/{person.id}/acceptance"
    paid = creator.done(path, nonce())
    again = creator.done(path, nonce())
    closed = creator.done(f"{bounty}/close", nonce())

    assert (claimed.status_code, claimed.json["state"]) == (201, "claimed")
    assert (paid.status_code, paid.json["claim"]["state"]) == (201, "paid")
    assert again.json["transfer"] == paid.json["transfer"]
    assert closed.json["bounty"]["state"] == "closed"
    assert [wealth(caller, one) for one in (creator, person)] == [6, 4]
    assert person.get(f"{bounty}/claims").json["claims"] == [paid.json["claim"]]
    assert caller.get("/ledger/trial-balance").json["sum"] == 0


def test_what_is_held_is_seen_in_the_ledger(caller, creator, bounty):
    shown = caller.get(bounty).json

    assert shown["held"] == 8
    assert shown["creator"] == creator.id
    assert caller.get(f"/ledger/{shown['account']}").json["balance"] == 8
    assert wealth(caller, creator) == 2


def test_the_same_nonce_makes_one_bounty(caller, creator):
    same = body()
    first, second = creator.done(ALL, same), creator.done(ALL, same)

    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json["bounty"]["id"] == first.json["bounty"]["id"]
    assert creator.done(ALL, {**same, "reward": 1}).status_code == 422
    assert wealth(caller, creator) == 2


def test_nobody_promises_what_they_do_not_have(caller, creator):
    answer = creator.done(ALL, body(reward=6))

    assert (answer.status_code, answer.json["code"]) == (409, "insufficient_credits")
    assert wealth(caller, creator) == 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"reward": 0},
        {"participants_max": 1_001},
        {"title": "x"},
        {"creator": "ada"},
        {"expires_at": "soon"},
        {"proposal_id": "x"},
    ],
    ids=repr,
)
def test_a_bounty_that_cannot_be_is_refused(creator, wrong):
    answer = creator.post(ALL, body(**wrong))

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == f"/{next(iter(wrong))}"


def test_a_bounty_is_for_a_time_to_come(creator):
    answer = creator.post(ALL, body(expires_at="2020-01-01T00:00:00Z"))

    assert (answer.status_code, answer.json["code"]) == (422, "expires_too_early")


def test_a_key_makes_and_claims_no_bounty(caller, bounty):
    answers = [
        caller.post(ALL, body()),
        caller.post(f"{bounty}/claims", {"proof": "See there."}),
    ]

    assert [answer.json["code"] for answer in answers] == ["missing_scope"] * 2


def test_only_the_creator_and_operators_decide(creator, new_person, bounty):
    person, operator = new_person(), new_person("operator")
    person.post(f"{bounty}/claims", {"proof": "See there."})
    claim = f"{bounty}/claims/{person.id}"
    told = [
        person.post(f"{claim}/acceptance", nonce()),
        person.post(f"{claim}/rejection"),
        person.post(f"{bounty}/close", nonce()),
    ]

    assert [answer.json["code"] for answer in told] == ["not_your_bounty"] * 3
    pending = creator.done(f"{bounty}/close", nonce())
    assert pending.json["code"] == "claims_pending"
    assert operator.post(f"{claim}/rejection").json["state"] == "rejected"
    refused = operator.done(f"{claim}/acceptance", nonce())
    assert refused.json["code"] == "claim_rejected"
    assert operator.done(f"{bounty}/close", nonce()).status_code == 201


def test_bounties_are_found_by_state_and_creator(creator, bounty):
    own = {"creator": creator.id}
    shown = creator.get(bounty).json

    assert creator.get(ALL, params={**own, "state": "open"}).json["bounties"] == [shown]
    assert creator.get(ALL, params={**own, "state": "full"}).json["bounties"] == []
    assert creator.get(ALL, params={"state": "lost"}).status_code == 422
    assert creator.get(ALL, params={"creator": "ada"}).status_code == 422


def test_who_demands_signatures_signs_what_is_held(new_holder, caller, worker):
    holder = new_holder()
    caller.fund(holder.id)
    answer = holder.post(ALL, body())

    assert answer.json["code"] == "signature_required"


def test_a_bounty_is_found_by_the_proposal_it_comes_from(creator, bounty):
    comes, other = (draft(creator).json["id"] for _ in range(2))
    made = creator.done(ALL, body(reward=1, proposal_id=comes)).headers["Location"]
    shown = creator.get(made).json

    assert shown["proposal_id"] == comes
    assert creator.get(bounty).json["proposal_id"] is None
    found = [creator.get(ALL, params={"proposal_id": one}) for one in (comes, other)]
    assert [answer.json["bounties"] for answer in found] == [[shown], []]
    unknown = creator.done(ALL, body(reward=1, proposal_id=str(uuid4())))
    assert (unknown.status_code, unknown.json["code"]) == (404, "no_such_proposal")


def test_who_listens_is_told_of_each_step(
    caller, creator, new_person, api_sessions, few_webhooks
):
    listener = Listener(api_sessions, DEED_EVENTS)
    bounty = creator.done(ALL, body()).headers["Location"]
    people = new_person(), new_person()
    for one in people:
        one.post(f"{bounty}/claims", {"proof": "See there."})
    creator.done(f"{bounty}/claims/{people[0].id}/acceptance", nonce())
    creator.post(f"{bounty}/claims/{people[1].id}/rejection")
    creator.done(f"{bounty}/close", nonce())

    told = listener.told()
    assert [deed.removeprefix("bounty.") for deed, _ in told] == [
        *("created", "claimed", "claimed", "paid", "claim_rejected", "closed")
    ]
    ids = {"bounty_id": bounty.rpartition("/")[2]}
    assert [data for _, data in told] == [ids] * 6


def test_each_step_is_recorded(caller, creator, new_person, bounty):
    person, other = new_person(), new_person()
    for one in (person, other):
        one.post(f"{bounty}/claims", {"proof": "See there."})
    creator.done(f"{bounty}/claims/{person.id}/acceptance", nonce())
    creator.post(f"{bounty}/claims/{other.id}/rejection")
    creator.done(f"{bounty}/close", nonce())
    about = {"subject": f"bounty:{bounty.rpartition('/')[2]}"}
    events = caller.get("/api/audit/events", params=about).json["events"]

    assert [(event["action"], event["actor"]) for event in reversed(events)] == [
        ("bounty.created", creator.id),
        ("bounty.claimed", person.id),
        ("bounty.claimed", other.id),
        ("bounty.paid", creator.id),
        ("bounty.claim_rejected", creator.id),
        ("bounty.closed", creator.id),
    ]
