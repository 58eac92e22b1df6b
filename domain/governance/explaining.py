"""Explanations: the rule and the numbers behind where a proposal is, in sentences."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from domain.governance import executing
from domain.governance.cases import Case
from domain.governance.lifecycle import Event, State
from domain.governance.parameters import Deed
from domain.governance.results import Phase, phase, show
from domain.governance.tallying import binding
from domain.tally.documents import listed

_YES_NO: Final = "yes-no"
_CONSENT: Final = "consent"


def explain(session: Session, case: Case, *, now: datetime) -> dict[str, Any]:
    """Return why a proposal is where it is: its state, and sentences in order."""
    found = case.state(now)
    view = show(session, case, now=now)
    sentences = [
        *_until_now(session, case, view, now),
        *_SAID[found](case),
        *_waiting_for(session, case, now),
    ]
    return {
        "proposal_id": str(case.row.id),
        "state": str(found),
        "definition_sha256": case.definition_sha256,
        "sentences": sentences,
        "explanation": " ".join(sentences),
        "rule": {
            "type": case.row.type,
            "type_version": case.row.type_version,
            "parameters": case.parameters.describe(),
        },
        "at": now.isoformat(),
    }


def time(at: datetime) -> str:
    """Return a time as sentences have it, as short as it is exact."""
    at = at.astimezone(UTC)
    whole = not at.second and not at.microsecond
    shown = at.isoformat(timespec="minutes" if whole else "auto")
    return shown.replace("+00:00", "Z")


def _waiting_for(session: Session, case: Case, now: datetime) -> Iterator[str]:
    """Yield why what is due is not carried out, as things are at this moment."""
    if found := executing.obstacle(session, case, now=now):
        yield f"It cannot be carried out yet: {found['detail']}"


def _until_now(
    session: Session, case: Case, view: Mapping[str, Any], now: datetime
) -> Iterator[str]:
    """Yield how the vote stands or went, from its opening on."""
    found = phase(case, now)
    if found is Phase.OPEN:
        yield from _open(case, view)
    elif found in {Phase.COUNTING, Phase.COUNTED}:
        yield _closed(case)
        if found is Phase.COUNTED:
            tally = binding(session, case.row.id)
            assert tally is not None, "what was counted has a count"  # noqa: S101
            result = json.loads(tally.result)
            yield from _outcome(result) if view["withheld"] is None else _few(view)
        else:
            told = view["progress"]
            yield f"{told['counted']} of {told['of']} ballots are counted so far."


def _open(case: Case, view: Mapping[str, Any]) -> Iterator[str]:
    times = case.timeline
    assert times is not None, "what is voted on was opened"  # noqa: S101
    yield f"Voting opened {time(times.voting)} and closes {time(times.closes)}."
    if (reached := case.facts.at(Event.QUORUM_REACHED)) and (
        times.closes > times.voting + case.parameters.voting
    ):
        hours = case.parameters.extension_hours
        yield (
            f"The quorum was reached late, {time(reached)}, so that voting lasts "
            f"{hours} hours from then."
        )
    electorate, so_far = view["electorate"], view["so_far"]
    people = view["turnout"] if so_far is None else so_far["people"]
    if view["quorum"]:
        yield _quorum(view["quorum"])
    elif electorate:
        eligible = electorate["people"]
        yield f"{people} of {eligible} people took part; there is no quorum."
    yield _rule(case)


def _rule(case: Case) -> str:
    """Return what is needed to pass."""
    rules = case.parameters
    if rules.method == _CONSENT:
        return "It passes when somebody consents and nobody objects with a reason."
    if rules.method != _YES_NO:
        seats = "" if rules.seats == 1 else f" for {rules.seats} seats"
        return f"Votes are counted by {rules.method}{seats}."
    wanted = [
        f"{one.option} {one.bound} {one.share} of {one.of}"
        for one in rules.requirements
    ]
    return f"It passes with {listed(wanted or ['more yes than no'])}."


def _closed(case: Case) -> str:
    times = case.timeline
    assert times is not None, "what is closed was opened"  # noqa: S101
    closed = f"Voting closed {time(times.closes)}"
    if case.facts.at(Event.SETTLED) == times.closes:
        return f"{closed}, early: the outcome could no longer change."
    return f"{closed}."


def _few(view: Mapping[str, Any]) -> Iterator[str]:
    yield view["withheld"]
    yield "Passed." if view["outcome"] == "passed" else "Failed."


def _outcome(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the numbers of a count, and what they came to."""
    ballots = result["ballots"]
    if result["quorum"]:
        yield _quorum(result["quorum"])
    else:
        eligible = result["election"] and result["election"]["eligible"]
        of = f" of {eligible['people']}" if eligible else ""
        yield f"{ballots['people']}{of} people took part; there is no quorum."
    method = result["election"] and result["election"]["method"]
    if method == _YES_NO:
        yield from map(_requirement, result["requirements"])
    elif method == _CONSENT:
        yield result["stages"][0]["explanation"]
    elif result["stages"]:
        yield from _elected(result)
    yield from _verdict(result, method)


def _quorum(ticked: Mapping[str, Any]) -> str:
    met = "met" if ticked["met"] else "not met"
    return (
        f"{ticked['people']} of {ticked['eligible']} people took part, quorum "
        f"{ticked['share']} = {ticked['wanted']}: {met}."
    )


def _requirement(ticked: Mapping[str, Any]) -> str:
    met = "met" if ticked["met"] else "not met"
    return (
        f"{ticked['option']} {ticked['votes']} of {ticked['whole']} {ticked['of']}, "
        f"{ticked['bound']} {ticked['share']} = {ticked['wanted']}: {met}."
    )


def _elected(result: Mapping[str, Any]) -> Iterator[str]:
    method, seats = result["election"]["method"], result["election"]["seats"]
    found = "seat" if seats == 1 else "seats"
    who = listed(result["elected"]) if result["elected"] else "nobody"
    yield f"Counted by {method} for {seats} {found}, elected in order: {who}."
    for tie in result["ties"]:
        how = "by lot" if tie["rule"] == "lot" else "by the votes of other stages"
        yield f"A tie of {listed(tie['tied'])} was broken {how}: {tie['chosen']}."


def _verdict(result: Mapping[str, Any], method: str | None) -> Iterator[str]:
    """Yield the outcome and, where it failed, for want of what."""
    if result["outcome"] == "passed":
        yield "Passed."
        return
    why = result["failed_for"]
    if why == "threshold" and method == _YES_NO:
        votes = result["stages"][0]["votes"]
        if votes["yes"] == votes["no"]:
            yield "A tie fails: as many yes as no."
    yield _FAILED[why]


_FAILED: Final[Mapping[str, str]] = {
    "quorum": "Failed: too few people took part.",
    "no votes": "Failed: nobody cast a vote with a choice.",
    "threshold": "Failed: what is required was not reached.",
    "no options": "Failed: nobody stood.",
    "not countable": "Failed: by the rules it was opened under it cannot be counted.",
}


def _draft(case: Case) -> Iterator[str]:
    yield f"A draft since {time(case.row.created_at)}, not opened yet."


def _discussion(case: Case) -> Iterator[str]:
    times, rules = case.timeline, case.parameters
    assert times is not None, "what is discussed was opened"  # noqa: S101
    yield (
        f"Opened {time(times.opened)}. Discussed for {rules.discussion_hours} hours, "
        f"until {time(times.frozen)}; until then its text may change."
    )


def _frozen(case: Case) -> Iterator[str]:
    times, rules = case.timeline, case.parameters
    assert times is not None, "what is frozen was opened"  # noqa: S101
    yield (
        f"Its text is fixed since {time(times.frozen)}. After {rules.freeze_hours} "
        f"hours, {time(times.voting)}, voting opens."
    )


def _nothing(_case: Case) -> Iterator[str]:
    return iter(())


def _passed(case: Case) -> Iterator[str]:
    if case.parameters.timelock_hours:
        assert case.timeline is not None, "what passed was opened"  # noqa: S101
        yield f"Its timelock ended {time(case.timeline.executable)}."


def _queued(case: Case) -> Iterator[str]:
    times, rules = case.timeline, case.parameters
    assert times is not None, "what is queued was opened"  # noqa: S101
    yield (
        f"A timelock of {rules.timelock_hours} hours: it takes effect from "
        f"{time(times.executable)}."
    )
    if rules.deed is Deed.SEATS:
        yield "Whoever is elected is seated then, under the council's cap."
    if rules.deed is not Deed.NONE:
        yield f"Not carried out by {time(times.expires)}, it expires."


def _cancelled(case: Case) -> Iterator[str]:
    yield f"Cancelled {_reason(case, Event.CANCELLED)}"
    if Event.REFUNDED in case.events:
        yield "What votes on it cost was given back."


def _vetoed(case: Case) -> Iterator[str]:
    yield f"Vetoed {_reason(case, Event.VETOED)}"


def _executed(case: Case) -> Iterator[str]:
    done = case.facts.at(Event.EXECUTED)
    if done is not None:
        yield f"Carried out {time(done)}."
        yield from _seated(case.events[Event.EXECUTED].details)
    else:
        yield f"Its outcome was recorded {_reason(case, Event.CONCLUDED, 'statement')}"


def _seated(done: Mapping[str, Any]) -> Iterator[str]:
    """Yield who has a seat: not all who are elected, where one affiliation has many."""
    if "withdrawn" not in done:
        return
    names = {what: [one["username"] for one in done[what]] for what in _SEATS}
    yield f"Seated: {listed(names['seated']) if names['seated'] else 'nobody'}."
    if names["withdrawn"]:
        yield (
            f"Left out, for too many of one affiliation would sit: "
            f"{listed(names['withdrawn'])}."
        )


_SEATS: Final = ("seated", "withdrawn")


def _expired(case: Case) -> Iterator[str]:
    times = case.timeline
    assert times is not None, "what expired was opened"  # noqa: S101
    yield (
        f"It could take effect from {time(times.executable)} and was not carried out "
        f"in {case.parameters.grace_hours} hours: expired {time(times.expires)}."
    )


def _reason(case: Case, kind: Event, member: str = "reason") -> str:
    """Return when something was done and, where they said so, why or what."""
    event = case.events[kind]
    reason = event.details.get(member)
    return f"{time(event.at)}: “{reason}”" if reason else f"{time(event.at)}."


_SAID: Final[Mapping[State, Callable[[Case], Iterator[str]]]] = {
    State.DRAFT: _draft,
    State.DISCUSSION: _discussion,
    State.FROZEN: _frozen,
    State.VOTING: _nothing,
    State.CLOSED: _nothing,
    State.PASSED: _passed,
    State.FAILED: _nothing,
    State.QUEUED: _queued,
    State.CANCELLED: _cancelled,
    State.VETOED: _vetoed,
    State.EXECUTED: _executed,
    State.EXPIRED: _expired,
}
