"""A season of a community: what it decides, whom it elects, and how it is checked."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from tests.end_to_end.community import (
    PROPOSALS,
    Person,
    elect,
    grant,
    hold,
    make_council,
    propose,
    recounted,
    run,
    shown,
    until,
    verify,
)
from tests.governance_time import age
from tests.waiting import eventually

DELEGATIONS = "/api/governance/delegations"
DECIDED = {"passed", "queued", "executed", "vetoed", "expired", "failed"}
COPIES_SECONDS = 5
_LONG_AGO = """
    UPDATE users SET created_at = created_at - interval '90 days'
    WHERE id = ANY(CAST(:ids AS uuid[]))
"""
_YESTERDAY = """
    UPDATE delegations SET since = since - interval '1 day'
    WHERE delegator = ANY(CAST(:ids AS uuid[]))
"""
_LAST_WEEK = """
    UPDATE recalls SET called_at = called_at - interval '7 days' WHERE id = :id
"""


@pytest.fixture(scope="module")
def people(stack):
    """Six members, who have been so for long enough: an operator, a guardian, others.

    Nobody else was one when a vote opened that was made to have opened in the past.
    """
    found = [Person(stack) for _ in range(6)]
    grant(stack, found[0], "operator")
    next_month = datetime.now(UTC) + timedelta(days=30)
    grant(stack, found[1], "guardian", "--until", f"{next_month:%Y-%m-%d}")
    run(stack, _LONG_AGO, ids=[person.id for person in found])
    return found


@dataclass
class Tied:
    """A council of one seat, for which two had as many votes."""

    council: str
    election: str
    nominees: dict[str, Person]

    def seats(self, person):
        return person.ask(f"{self.council}/seats")["seats"]


@pytest.fixture(scope="module", autouse=True)
def tied(stack, people):
    """An election that is counted while the first stories are told."""
    operator, _, ada, ben, *_ = people
    council = make_council(operator, seats=1)
    rankings = [[ada.name], [ben.name], [ada.name], [ben.name], [], []]
    ballots = zip(people, rankings, strict=True)
    nominees = [(ada, "Quay"), (ben, "Mill")]
    election, _ = elect(stack, council, operator, nominees, ballots)
    return Tied(council, election, {one.id: one for one in (ada, ben)})


def test_a_proposal_is_decided_and_anybody_counts_it_again(stack, people, tmp_path):
    proposal = propose(people[0])
    age(stack.endpoints["database"], proposal, hours=97)
    for person, choice in zip(
        people, ["YES", "yes", "FOR", "no", "ABSTAIN"], strict=False
    ):
        person.vote(proposal, choice)
    people[3].ask(
        f"{PROPOSALS}/{proposal}/ballots",
        {"choice": "yes", "nonce": "another mind", "rationale": "They convinced me."},
        Prefer="wait=20",
    )
    age(stack.endpoints["database"], proposal, days=8)
    until(stack, proposal, "passed")

    result = shown(people[5], proposal, "/result")
    assert result["outcome"] == "passed"
    assert "5 of 6" in " ".join(shown(people[5], proposal, "/explain")["sentences"])
    package = tmp_path / "package.json"
    package.write_text(json.dumps(shown(people[5], proposal, "/package")))
    said = verify(package)
    assert said.returncode == 0, said.stdout + said.stderr
    package.write_text(package.read_text().replace('"yes"', '"no"', 1))
    assert verify(package).returncode == 1


def test_an_amendment_is_adopted_and_what_is_voted_on_is_the_amended_text(
    stack, people
):
    author, other, *voters = people
    proposal = propose(author)
    words = "Twelve trees between the two bridges, in spring."
    amendment = propose(other, amends=proposal, description=words)
    adoption = f"{PROPOSALS}/{proposal}/adoption"
    adopted = {"amendment_id": amendment, "version": 1}

    assert other.refusal(adoption, adopted) == "not_your_proposal"
    assert author.ask(adoption, adopted)["version"] == 2
    new, old = shown(other, proposal, "/versions")["versions"]
    assert (new["version"], old["diff"]) == (2, [])
    assert f"-{old['description']}" in new["diff"]
    assert f"+{words}" in new["diff"]
    other.ask(f"{PROPOSALS}/{amendment}/cancel", {"reason": "It was adopted."})

    hold(stack, proposal, [(voter, "yes") for voter in voters])
    assert author.refusal(adoption, adopted) == "wrong_state"
    until(stack, proposal, "passed")
    package = shown(other, proposal, "/package")
    assert package["definition"]["text"]["version"] == 2
    assert package["definition"]["text"]["description"] == words
    assert package["definition_sha256"] == shown(other, proposal)["freeze"]["sha256"]


def test_who_does_not_vote_is_carried_by_the_delegate_and_who_votes_is_not(
    stack, people
):
    quiet, delegate, third, *_ = people
    for one in (quiet, third):
        body = {"delegate_id": delegate.id, "topic": "two_thirds"}
        one.ask(DELEGATIONS, body)
    run(stack, _YESTERDAY, ids=[quiet.id, third.id])
    proposal = propose(people[5], type="two_thirds")
    hold(stack, proposal, [(delegate, "yes"), (third, "no")])
    until(stack, proposal, "passed")

    votes = shown(quiet, proposal, "/result")["result"]["stages"][-1]["votes"]
    assert votes == {"yes": 2, "no": 1, "abstain": 0}
    own = shown(quiet, proposal, "/ballots/mine")
    assert (own["voted"], own["ballots"]) == (False, [])
    assert own["carried_by"]["user_id"] == delegate.id
    assert own["carried_by"]["choice"] == "yes"
    own = shown(third, proposal, "/ballots/mine")
    assert (own["voted"], own["carried_by"]) == (True, None)
    assert own["elector"]["delegate_id"] == delegate.id
    assert [ballot["choice"] for ballot in own["ballots"]] == ["no"]


def test_a_council_is_elected_in_secret_and_nobody_knows_by_whom(
    stack, people, tmp_path
):
    operator, ada, ben, cat, *_ = people
    council = make_council(operator, seats=2, affiliation_cap=1)
    rankings = [[ada.name, ben.name], [ada.name], [ben.name, ada.name], [cat.name]]
    election, receipts = elect(
        stack,
        council,
        operator,
        [(ada, "Quay"), (ben, "Quay"), (cat, "Mill")],
        zip(people, [*rankings, [ada.name], []], strict=True),
    )
    until(stack, election, "executed")

    seats = operator.ask(f"{council}/seats")["seats"]
    assert {seat["username"] for seat in seats} == {ada.name, cat.name}
    said = recounted(cat, tmp_path, election)
    assert said.returncode == 0, said.stdout + said.stderr
    published = "".join(file.read_text() for file in tmp_path.iterdir())
    assert not any(voter.id in published for voter in people)
    assert len(receipts) == len(people)
    assert all(receipt in published for receipt in receipts)


def test_who_has_the_lower_ticket_of_a_lot_anybody_draws_again_is_seated(
    stack, people, tied
):
    until(stack, tied.election, "executed")
    package = shown(people[5], tied.election, "/package")
    (tie,) = package["result"]["ties"]
    names = [person.name for person in tied.nominees.values()]
    assert (tie["rule"], tie["tied"]) == ("lot", sorted(names))

    # By the rule of docs/tally.md, with nothing of ours.
    seed = bytes.fromhex(package["seed"])
    published = shown(people[5], tied.election)["commitment"]
    assert sha256(seed).hexdigest() == published == package["commitment"]
    lines = [
        json.dumps(kind, ensure_ascii=False, separators=(",", ":")).encode()
        for kind in package["ballots"]
    ]
    ballots = sha256(b"\n".join(sorted(lines)))
    assert ballots.hexdigest() == package["ballots_sha256"]
    key = sha256(seed + ballots.digest()).digest()
    drawn = min(names, key=lambda name: sha256(key + name.encode()).hexdigest())

    assert package["result"]["elected"] == [drawn]
    assert [seat["username"] for seat in tied.seats(people[5])] == [drawn]


def test_who_is_recalled_loses_the_seat_to_the_next_by_the_same_ballots(
    stack, people, tied
):
    until(stack, tied.election, "executed")
    (seat,) = tied.seats(people[0])
    (follower,) = tied.nominees.keys() - {seat["user_id"]}
    caller, seconder = people[4:]
    recalls = f"{tied.council}/recalls"
    reason = "Has not been seen at a meeting since the spring."
    body = {"reason": reason, "seat_id": seat["id"]}

    forgotten = caller.ask(recalls, body)["id"]
    assert caller.refusal(recalls, body) == "recall_open"
    run(stack, _LAST_WEEK, id=forgotten)
    second = f"{recalls}/{forgotten}/second"
    assert seconder.refusal(second, {}) == "recall_lapsed"

    second = f"{recalls}/{caller.ask(recalls, body)['id']}/second"
    assert caller.refusal(second, {}) == "own_recall"
    recall = seconder.ask(second, {})["proposal_id"]
    choices = ["yes", "no", "no", "yes", "yes", "yes"]
    told = hold(stack, recall, zip(people, choices, strict=True), opens=1, closes=15)
    assert all(one.keys() >= {"receipt"} for one in told)
    until(stack, recall, "executed")

    ended = caller.ask(f"{tied.council}/seats/{seat['id']}")
    assert ended["ended_because"] == "recalled"
    (now,) = tied.seats(caller)
    assert now["user_id"] == follower
    assert now["until"] == seat["until"]


def fund(client, people):
    """Give each of them ten credits, of which they spend six: so the treasury has."""
    for operation, times in (("CREDIT_ADD", 1), ("CREDIT_SPEND", 6)):
        entries = [
            {
                "owner_id": person.id,
                "operation": operation,
                "nonce": f"{operation} {number} of {person.id}",
            }
            for person in people
            for number in range(times)
        ]
        status, said = client.done("/ledger/batches", {"entries": entries})
        assert status in {200, 201}, said


def test_of_two_spends_one_is_made_once_and_the_other_is_vetoed_in_time(
    stack, people, client
):
    author, guardian, member = people[4], people[1], people[5]
    fund(client, people)
    had = {owner: client.balance(owner) for owner in ("@treasury", member.id)}
    signer = author.signer()
    paid, stopped = (
        {
            "type": "treasury_spend",
            "title": f"Pay {amount} credits for the lime trees",
            "details": {"to": member.id, "amount": amount},
        }
        for amount in (30, 6)
    )
    unsigned = {**paid, "description": "As agreed with the nursery."}
    assert author.refusal(PROPOSALS, unsigned) == "signature_required"
    spends = [propose(author, signer=signer, **one) for one in (stopped, paid)]
    for spend in spends:
        hold(stack, spend, [(person, "yes") for person in people])
    for spend in spends:
        until(stack, spend, "queued")
    second, first = spends
    reason = {"reason": "It is in the bill of the other."}
    assert member.refusal(f"{PROPOSALS}/{second}/veto", reason) == "missing_scope"
    guardian.ask(f"{PROPOSALS}/{second}/veto", reason)
    for spend in spends:
        age(stack.endpoints["database"], spend, days=2)
    until(stack, first, "executed")

    assert shown(author, second)["state"] == "vetoed"
    has = {"@treasury": had["@treasury"] - 30, member.id: had[member.id] + 30}
    eventually(
        lambda: {owner: client.balance(owner) for owner in has} == has,
        within=COPIES_SECONDS,
    )
    moved = client.get(f"/ledger/{member.id}/entries?operation=TRANSFER")["entries"]
    done = shown(author, first)["events"][-1]["details"]
    assert [entry["transfer_id"] for entry in moved] == [done["transfer_id"]]
    assert client.get("/ledger/trial-balance")["sum"] == 0


def test_every_decision_of_the_season_is_counted_again_offline(stack, people, tmp_path):
    lost = propose(people[2], title="Fell the lime trees along the canal")
    choices = ["yes", "no", "yes", "no", "abstain"]
    hold(stack, lost, zip(people, choices, strict=False))
    until(stack, lost, "failed")

    decided = {
        proposal["id"]: proposal["state"]
        for person in people
        for proposal in person.ask(f"{PROPOSALS}?author={person.id}")["proposals"]
        if proposal["state"] in DECIDED
    }
    assert decided[lost] == "failed"
    said = recounted(people[3], tmp_path, *decided)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count("\noutcome ") == len(decided)
