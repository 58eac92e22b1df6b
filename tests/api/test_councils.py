"""Councils over HTTP: seats, elections, absence and recall, as people ask for them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.councils import countback, elections, keeping
from domain.governance import types
from domain.webhooks.outbox import DEED_EVENTS
from tests.api.webhooks import Listener
from tests.elections import (
    ELECTED,
    held,
    make_council,
    make_member,
    make_people,
    seat_of,
)
from tests.factories import NOW, make_owner
from tests.waiting import eventually

ALL = "/api/governance/councils"
REASON = "Has not been seen at a meeting since the spring."
DAY = timedelta(days=1)


def council_body(**fields):
    return {
        "name": make_owner("council"),
        "description": "Decides what is planted.\nAnd by whom.",
        "seats": 3,
        "term_days": 365,
        **fields,
    }


@pytest.fixture
def operator(new_person):
    return new_person("operator")


@pytest.fixture
def council(api_sessions, person, new_person):
    """A council in which `person` and `colleague` sit."""
    with api_sessions.begin() as session:
        made = make_council(session)
        colleague = new_person()
        made.seat = make_member(session, made, person.user)
        made.other = make_member(session, made, colleague.user)
    made.path = f"{ALL}/{made.id}"
    made.colleague = colleague
    return made


def seats(caller, council, **params):
    answer = caller.get(f"{council.path}/seats", params=params)
    return {seat["user_id"] for seat in answer.json["seats"]}


def test_an_operator_makes_a_council_that_everybody_sees(operator, new_caller):
    made = operator.post(ALL, council_body(affiliation_cap=2))
    reader = new_caller("governance:read")

    assert made.status_code == 201
    assert reader.get(made.headers["Location"]).json == made.json
    assert made.json["vacancies"] == 3
    assert made.json["affiliation_cap"] == 2
    assert made.json in reader.get(ALL).json["councils"]


def test_members_and_keys_make_no_council(person, caller):
    for one in (person, caller):
        answer = one.post(ALL, council_body())
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"seats": 0},
        {"seats": 101},
        {"term_days": 0},
        {"name": "x"},
        {"description": "bell \a"},
        {"affiliation_cap": 0},
        {"chair": "ada"},
    ],
    ids=repr,
)
def test_a_council_that_cannot_be_is_refused(operator, wrong):
    answer = operator.post(ALL, council_body(**wrong))

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == f"/{next(iter(wrong))}"


def test_two_councils_have_two_names(operator):
    body = council_body()
    operator.post(ALL, body)

    assert operator.post(ALL, body).json["code"] == "council_name_taken"


def test_who_sat_at_a_time_is_asked_for_by_it(person, council):
    own = f"{council.path}/seats/{council.seat.id}"
    before = datetime.now(UTC)
    gone = person.delete(own)
    then = before.isoformat()

    assert gone.status_code == 204
    assert seats(person, council) == {council.colleague.id}
    assert seats(person, council, at=then) == {person.id, council.colleague.id}
    assert person.get(own).json["ended_because"] == "resigned"
    assert person.get(council.path).json["vacancies"] == 2
    assert person.delete(own).json["code"] == "seat_ended"


def test_a_role_is_the_councils_to_give(person, council, new_person):
    path = f"{council.path}/seats/{council.other.id}"
    tag = {"If-Match": person.get(path).headers["ETag"]}
    stranger = new_person()
    refused = stranger.send("PATCH", path, json={"role": "chair"}, headers=tag)
    given = person.send("PATCH", path, json={"role": "chair"}, headers=tag)
    again = person.send("PATCH", path, json={"role": "scribe"}, headers=tag)
    members = "/api/governance/council_members"
    asked = {"role": "chair", "council_id": str(council.id), "active": "true"}
    found = person.get(members, params=asked).json["council_members"]

    assert refused.json["code"] == "not_in_council"
    assert given.json["role"] == "chair"
    assert again.json["code"] == "precondition_failed"
    assert [seat["user_id"] for seat in found] == [council.colleague.id]


def test_the_list_of_members_goes_page_by_page(person, council):
    path = "/api/governance/council_members"
    asked = {"council_id": str(council.id), "limit": "1"}
    first = person.get(path, params=asked).json
    second = person.get(first["next"]).json
    both = [*first["council_members"], *second["council_members"]]

    assert [seat["id"] for seat in both] == [
        str(council.other.id),
        str(council.seat.id),
    ]
    assert second["next"] is None
    assert person.get(path, params={"council_id": "x"}).status_code == 422
    assert person.get(path, params={"active": "maybe"}).status_code == 422


def test_nobody_gives_up_the_seat_of_another(person, council):
    path = f"{council.path}/seats/{council.other.id}"

    assert person.delete(path).json["code"] == "not_your_seat"


def test_who_is_missed_answers(person, council):
    path = f"{council.path}/seats/{council.other.id}"
    told = person.post(f"{path}/absence")
    again = person.post(f"{path}/absence")
    early = person.post(f"{path}/vacancy")
    answered = council.colleague.post(f"{path}/absence/answer")
    late = person.post(f"{path}/vacancy")

    assert (told.status_code, told.json["answered_at"]) == (201, None)
    assert again.json["code"] == "already_reported"
    assert early.json["code"] == "time_to_answer"
    assert answered.status_code == 200
    assert late.json["code"] == "not_reported"


def test_an_election_goes_from_its_call_to_nominations(operator, person, council):
    path = f"{council.path}/elections"
    called = operator.post(path, {})
    nominations = called.headers["Location"]
    stood = operator.post(
        nominations, {"statement": "I would.", "affiliation": "Canal Street"}
    )
    sitting = person.post(nominations, {"statement": "I would."})
    listed = person.get(nominations).json["nominations"]
    withdrawn = operator.delete(nominations)

    assert (called.status_code, called.json["seats"]) == (201, 1)
    assert person.post(path, {}).status_code == 403
    assert operator.post(path, {}).json["code"] == "election_open"
    assert person.get(path).json["elections"] == [called.json]
    assert listed == [stood.json]
    assert stood.json["username"] == operator.user.username
    assert sitting.json["code"] == "already_in_council"
    assert withdrawn.status_code == 204
    assert operator.delete(nominations).json["code"] == "no_such_nomination"


def test_a_recall_is_called_by_one_and_seconded_by_another(person, council, new_person):
    path, seat = f"{council.path}/recalls", str(council.other.id)
    made = person.post(path, {"reason": REASON, "seat_id": seat})
    second = f"{path}/{made.json['id']}/second"
    own = person.post(second)
    seconded = new_person().post(second)
    again = new_person().post(second)

    assert (made.status_code, made.json["state"]) == (201, "called")
    assert own.json["code"] == "own_recall"
    assert seconded.json["state"] == "seconded"
    assert seconded.json["proposal_id"]
    assert again.json["code"] == "recall_seconded"
    assert person.get(path).json["recalls"] == [seconded.json]
    open_ = person.post(path, {"reason": REASON, "seat_id": seat})
    assert open_.json["code"] == "recall_open"


def test_a_reason_says_something(person, council):
    answer = person.post(f"{council.path}/recalls", {"reason": "bad"})

    assert answer.status_code == 422


@pytest.mark.usefixtures("worker")
def test_who_resigns_is_followed_by_the_next(api_sessions, new_person):
    """From ballots of a year ago, and a term that runs."""
    leaver = new_person()
    past = datetime.now(UTC) - (ELECTED - NOW) - DAY
    with api_sessions.begin() as session:
        people = {**make_people(session, "bc"), "a": leaver.user}
        council = make_council(session, seats=2)
        held(session, council, people, ["ac"] * 5 + ["b"] * 4 + ["c"], now=past)
        seat = seat_of(session, council, leaver.user, datetime.now(UTC))
    council.path = f"{ALL}/{council.id}"
    leaver.delete(f"{council.path}/seats/{seat.id}")
    follow = {str(people["b"].id), str(people["c"].id)}

    eventually(lambda: seats(leaver, council) == follow)


def test_who_listens_is_told_of_elections_seats_and_recalls(
    person, council, new_person, api_sessions, few_webhooks
):
    listener, operator = Listener(api_sessions, DEED_EVENTS), new_person("operator")
    here, other = {"council_id": str(council.id)}, str(council.other.id)
    election = operator.post(f"{council.path}/elections", {}).json["id"]
    path = f"{council.path}/seats/{other}"
    tag = {"If-Match": person.get(path).headers["ETag"]}
    person.send("PATCH", path, json={"role": "chair"}, headers=tag)
    recalls = f"{council.path}/recalls"
    recall = person.post(recalls, {"reason": REASON, "seat_id": other}).json["id"]
    vote = new_person().post(f"{recalls}/{recall}/second").json["proposal_id"]
    council.colleague.delete(path)

    assert listener.told() == [
        ("election.called", {"proposal_id": election, **here}),
        ("seat.changed", {"seat_id": other, **here}),
        ("recall.called", {"recall_id": recall, "seat_id": other, **here}),
        ("recall.seconded", {"recall_id": recall, "proposal_id": vote, **here}),
        ("seat.ended", {"seat_id": other, **here}),
    ]


def test_who_follows_is_told_of_too(api_sessions, few_webhooks):
    listener = Listener(api_sessions, ["seat.taken", "seat.ended"])
    with api_sessions.begin() as session:
        people, council = make_people(session, "ab"), make_council(session, seats=1)
        held(session, council, people, ["ab"] * 2 + ["b"])
        seat = seat_of(session, council, people["a"], ELECTED)
        keeping.end(session, seat, "resigned", actor=None, now=ELECTED + DAY)
        countback.fill(session, council, seat, now=ELECTED + DAY)
        next_ = seat_of(session, council, people["b"], ELECTED + DAY)

    here = {"council_id": str(council.id)}
    assert listener.told() == [
        ("seat.taken", {"seat_id": str(seat.id), **here}),
        ("seat.ended", {"seat_id": str(seat.id), **here}),
        ("seat.taken", {"seat_id": str(next_.id), **here}),
    ]


def test_each_step_is_recorded(person, council, operator, caller):
    person.post(f"{council.path}/seats/{council.other.id}/absence")
    person.delete(f"{council.path}/seats/{council.seat.id}")
    auditor = caller.get
    found = {
        event["action"]: event["actor"]
        for seat in (council.seat, council.other)
        for event in auditor(
            "/api/audit/events", params={"subject": f"seat:{seat.id}"}
        ).json["events"]
    }
    made = operator.post(ALL, council_body())
    about = {"subject": f"council:{made.json['id']}"}
    (event,) = auditor("/api/audit/events", params=about).json["events"]

    assert found == {"absence.reported": person.id, "seat.ended": person.id}
    assert event["action"] == "council.created"


# Nobody's own


def test_who_called_a_recall_neither_rewrites_nor_cancels_what_follows(
    person, operator, api_sessions
):
    now = datetime.now(UTC)
    with api_sessions.begin() as session:
        council = make_council(session, seats=5)
        called = elections.follow(session, council.id, caller=person.user.id, now=now)
    path = f"/api/governance/proposals/{called.row.id}"
    tag = {"If-Match": person.get(path).headers["ETag"]}
    details = {"details": {"seats": 1, "all": True}}
    answers = [
        person.send("PATCH", path, json=details, headers=tag),
        person.post(f"{path}/cancel", {"reason": "It is done already."}),
    ]

    assert [answer.json["code"] for answer in answers] == ["not_your_proposal"] * 2
    shown = person.get(path).json
    assert (shown["state"], shown["details"]["seats"]) == ("discussion", 5)
    cancelled = operator.post(f"{path}/cancel", {"reason": "Called in error."})
    assert cancelled.json["state"] == "cancelled"


def test_an_election_that_could_not_be_counted_is_not_called(
    operator, council, api_sessions, monkeypatch
):
    """As when the rules of elections came to elect one at a time."""
    with api_sessions() as session:
        rules = types.current(session, elections.ELECTION)
    one = replace(rules, parameters=replace(rules.parameters, method="irv"))
    monkeypatch.setattr(types, "current", lambda _session, _name: one)
    answer = operator.post(f"{council.path}/elections", {"all": True})

    assert (answer.status_code, answer.json["code"]) == (422, "bad_parameters")
