"""Files of ranked ballots: what is in one, whichever format it was written in.

A preference that skips a number, or shares one with another, ends what counts of a
ballot; an option named again on the same ballot counts where it was named first.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.tally.ballots import Ranking
from domain.tally.elections import NUMBER_MAX, OPTIONS_MAX

BALLOTS_MAX: Final = 1_000_000_000
# Name, party and number together are within what an option may be called.
_TEXT_LENGTH_MAX: Final = 200


class BadBallotFile(ValueError):
    """The file is not one of ballots."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(f"Line {line}: {fault}.")


@dataclass(frozen=True, slots=True)
class BallotFile:
    """Options as they were listed, those withdrawn, and the votes for each ranking."""

    title: str
    seats: int
    options: tuple[str, ...]
    rankings: Mapping[Ranking, int]
    withdrawn: tuple[str, ...] = ()


def read_number(text: str, line: int, what: str, *, most: int) -> int:
    """Return a field's whole number from 1 to the most there may be."""
    # The length first: to read millions of digits takes seconds.
    if text.isascii() and text.isdigit() and len(text) <= len(str(most)):
        number = int(text)
        if 1 <= number <= most:
            return number
    fault = f"{what} is a whole number from 1 to {most}, not {text[:20]!r}"
    raise BadBallotFile(line, fault)


def read_head(fields: Sequence[str], line: int) -> tuple[int, int]:
    """Return how many candidates and seats the first line says there are."""
    if len(fields) != 2:  # noqa: PLR2004  candidates and seats
        raise BadBallotFile(line, "the first line has numbers of candidates and seats")
    return (
        read_number(fields[0], line, "the number of candidates", most=OPTIONS_MAX),
        read_number(fields[1], line, "the number of seats", most=NUMBER_MAX),
    )


def read_votes(text: str, line: int) -> int:
    """Return how many ballots a line stands for."""
    return read_number(text, line, "the number of ballots", most=BALLOTS_MAX)


def ranked(
    papers: Mapping[tuple[int, ...], int],
    names: Sequence[str],
    withdrawn: frozenset[int] = frozenset(),
) -> Counter[Ranking]:
    """Put names for numbers, each once; whoever withdrew is on no ballot."""
    found: Counter[Ranking] = Counter()
    for order, votes in papers.items():
        once = dict.fromkeys(order)
        found[tuple(names[one - 1] for one in once if one not in withdrawn)] += votes
    return found


def unique_names(named: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each candidate, given as name and party.

    Two of the same name are told apart by their parties, else by their numbers.
    """
    cleaned = [(_cleaned(name), _cleaned(party)) for name, party in named]
    same = Counter(name for name, _ in cleaned)
    longer = [
        f"{name} ({party})" if party and same[name] > 1 else name
        for name, party in cleaned
    ]
    same = Counter(longer)
    return [
        name if name and same[name] == 1 else f"{name} #{number}".lstrip()
        for number, name in enumerate(longer, 1)
    ]


def _cleaned(text: str) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(printable.split())[:_TEXT_LENGTH_MAX]
