"""The state of a proposal: a function of what happened, of its rules and the time.

Nothing here is told by a scheduled job. That a discussion ended or voting closed is so
when the time has come, whoever looks and whatever runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.governance.parameters import Deed, Parameters


class State(StrEnum):
    """Where a proposal is."""

    DRAFT = "draft"
    DISCUSSION = "discussion"
    FROZEN = "frozen"
    VOTING = "voting"
    CLOSED = "closed"
    PASSED = "passed"
    FAILED = "failed"
    QUEUED = "queued"
    CANCELLED = "cancelled"
    VETOED = "vetoed"
    EXECUTED = "executed"
    EXPIRED = "expired"


class Event(StrEnum):
    """What can happen to a proposal, each at most once."""

    OPENED = "opened"
    CANCELLED = "cancelled"
    QUORUM_REACHED = "quorum_reached"
    # The outcome could no longer change, whoever else would vote.
    SETTLED = "settled"
    TALLIED = "tallied"
    VETOED = "vetoed"
    EXECUTED = "executed"
    # What came of it was written down, where nothing is carried out.
    CONCLUDED = "concluded"
    # What votes cost went back, after it was cancelled.
    REFUNDED = "refunded"


# States in which nothing more will happen.
FINAL: Final = frozenset(
    {State.FAILED, State.CANCELLED, State.VETOED, State.EXECUTED, State.EXPIRED}
)
# Before the text is fixed.
EDITABLE: Final = frozenset({State.DRAFT, State.DISCUSSION})
# Before anybody may have voted to no avail.
CANCELLABLE: Final = frozenset(
    {State.DRAFT, State.DISCUSSION, State.FROZEN, State.VOTING}
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a proposal; `passed` is what its ballots came to."""

    events: Mapping[Event, datetime]
    passed: bool | None = None

    def at(self, event: Event) -> datetime | None:
        """Return when something happened, if it did."""
        return self.events.get(event)


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a proposal that was opened goes from one state into the next."""

    opened: datetime
    frozen: datetime
    voting: datetime
    closes: datetime
    executable: datetime
    expires: datetime

    def describe(self) -> dict[str, str]:
        """Return the times as JSON shows them."""
        return {
            "opened_at": self.opened.isoformat(),
            "frozen_at": self.frozen.isoformat(),
            "voting_at": self.voting.isoformat(),
            "closes_at": self.closes.isoformat(),
            "executable_at": self.executable.isoformat(),
            "expires_at": self.expires.isoformat(),
        }


def timeline(facts: Facts, parameters: Parameters) -> Timeline | None:
    """Return when what follows, or None before the proposal was opened.

    A quorum reached near the end moves the close once, so that `extension_hours` are
    left from then on (OpenZeppelin, GovernorPreventLateQuorum); never by more, whenever
    it was written down. The timelock runs from the decision, which a count may take to
    some time after the close: whoever may object has all of it.
    """
    opened = facts.at(Event.OPENED)
    if opened is None:
        return None
    frozen = opened + timedelta(hours=parameters.discussion_hours)
    voting = frozen + timedelta(hours=parameters.freeze_hours)
    closes = voting + parameters.voting
    if (reached := facts.at(Event.QUORUM_REACHED)) and parameters.extension_hours:
        extension = timedelta(hours=parameters.extension_hours)
        closes = max(closes, min(reached, closes) + extension)
    if (settled := facts.at(Event.SETTLED)) and parameters.early_close:
        closes = max(voting, min(closes, settled))
    decided = max(closes, facts.at(Event.TALLIED) or closes)
    executable = decided + timedelta(hours=parameters.timelock_hours)
    return Timeline(
        opened=opened,
        frozen=frozen,
        voting=voting,
        closes=closes,
        executable=executable,
        expires=executable + timedelta(hours=parameters.grace_hours),
    )


def state(facts: Facts, parameters: Parameters, *, now: datetime) -> State:
    """Return where a proposal is at a moment."""
    if facts.at(Event.CANCELLED):
        return State.CANCELLED
    times = timeline(facts, parameters)
    if times is None:
        return State.DRAFT
    for end, before in (
        (times.frozen, State.DISCUSSION),
        (times.voting, State.FROZEN),
        (times.closes, State.VOTING),
    ):
        if now < end:
            return before
    if facts.passed is None:
        return State.CLOSED
    return _passed(facts, parameters, times, now) if facts.passed else State.FAILED


def _passed(
    facts: Facts, parameters: Parameters, times: Timeline, now: datetime
) -> State:
    """Return where a proposal is that was passed."""
    if facts.at(Event.VETOED):
        return State.VETOED
    if facts.at(Event.EXECUTED) or facts.at(Event.CONCLUDED):
        return State.EXECUTED
    if parameters.deed is Deed.NONE:
        return State.QUEUED if now < times.executable else State.PASSED
    return State.QUEUED if now < times.expires else State.EXPIRED
