"""Ties: votes of other stages break them, then a lot; each is written down."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from domain.tally.documents import Document
from domain.tally.lots import Lots

Votes = Mapping[str, int]


class Look(StrEnum):
    """Which of the stages that are over is looked at first."""

    EARLIEST = "earliest stage at which they differ"
    LATEST = "most recent stage at which they differ"


class Purpose(StrEnum):
    """What a tie had to be broken for."""

    SEAT = "seat"
    ORDER = "order of election"
    SURPLUS = "surplus"
    EXCLUSION = "exclusion"


class Ties:
    """Chooses among options by their votes, and tells of every tie."""

    def __init__(self, lots: Lots, look: Look = Look.EARLIEST) -> None:
        self._lots = lots
        self._look = look
        self.broken: list[Document] = []

    def highest(
        self, options: Collection[str], stages: Sequence[Votes], purpose: Purpose
    ) -> str:
        """Return the option with the most votes at the last of the stages."""
        votes = stages[-1]
        most = max(votes[option] for option in options)
        tied = [option for option in options if votes[option] == most]
        return self.settle(tied, stages, purpose)

    def lowest(
        self, options: Collection[str], stages: Sequence[Votes], purpose: Purpose
    ) -> str:
        """Return the option with the fewest votes at the last of the stages."""
        votes = stages[-1]
        fewest = min(votes[option] for option in options)
        tied = [option for option in options if votes[option] == fewest]
        return self.settle(tied, stages, purpose)

    def ranked(
        self, options: Collection[str], stages: Sequence[Votes], purpose: Purpose
    ) -> list[str]:
        """Return the options from the most votes down."""
        left, found = set(options), list[str]()
        while left:
            found.append(self.highest(left, stages, purpose))
            left.remove(found[-1])
        return found

    def settle(
        self, tied: Sequence[str], stages: Sequence[Votes], purpose: Purpose
    ) -> str:
        """Return which of those tied at the last of the stages is to be chosen."""
        if len(tied) == 1:
            return tied[0]
        extreme = min if purpose is Purpose.EXCLUSION else max
        left, decided_at = list(tied), list[int]()
        for number in self._earlier(stages):
            votes = stages[number - 1]
            best = extreme(votes[option] for option in left)
            still = [option for option in left if votes[option] == best]
            if len(still) < len(left):
                decided_at.append(number)
            left = still
        told: Document = {
            "stage": len(stages),
            "purpose": str(purpose),
            "tied": sorted(tied),
            "decided_at_stages": decided_at,
        }
        if len(left) > 1:
            tickets = {option: self._lots.ticket(option) for option in left}
            # The lower ticket goes ahead, so who is excluded has the highest.
            behind = purpose is Purpose.EXCLUSION
            left = sorted(left, key=tickets.__getitem__, reverse=behind)[:1]
            told |= {"rule": "lot", "tickets": tickets}
        else:
            told |= {"rule": str(self._look), "tickets": {}}
        self.broken.append({**told, "chosen": left[0]})
        return left[0]

    def _earlier(self, stages: Sequence[Votes]) -> Sequence[int]:
        """Return the numbers of the stages before the last, as they are looked at."""
        numbers = range(1, len(stages))
        return numbers if self._look is Look.EARLIEST else numbers[::-1]
