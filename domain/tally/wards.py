"""The CSV in which the ballots of Scottish wards are published for research.

    3,2,                                    candidates and seats
    12,1,3,                                 ballots with this order of preference
    "Candidate 1","Ada Lovelace","Independent (Ind)",
    ""Ward 1 - Somewhere, and Elsewhere"",

Quotes are not doubled there as CSV has it, and names hold commas: what parts two fields
is a comma between quotes.
"""

import re
from collections import Counter
from itertools import takewhile
from typing import Final

from domain.tally.ballot_files import (
    BadBallotFile,
    BallotFile,
    ranked,
    read_head,
    read_number,
    read_votes,
    unique_names,
)

_BORDER: Final = re.compile(r'"\s*,\s*"')
_CANDIDATE: Final = re.compile(r'"?Candidate (\d+)"?,', re.ASCII)
_AROUND: Final = ' ",\t\r'

_Line = tuple[int, str]


def read(text: str) -> BallotFile:
    """Return what a ward's file says."""
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip(_AROUND)
    ]
    if not lines:
        raise BadBallotFile(1, "the file is empty")
    (first, head), *rest = lines
    candidates, seats = read_head(_fields(head), first)
    ballots = list(takewhile(lambda line: line[1][0].isdigit(), rest))
    papers: Counter[tuple[int, ...]] = Counter()
    for number, line in ballots:
        votes, *order = line.split(",")
        preferences = _preferences(order, number, candidates)
        papers[preferences] += read_votes(votes.strip(), number)
    names = _names(rest[len(ballots) :], candidates, last=lines[-1][0])
    title = rest[-1][1] if not _CANDIDATE.match(rest[-1][1]) else ""
    return BallotFile(
        title=_BORDER.sub(", ", title.strip(_AROUND)),
        seats=seats,
        options=tuple(names),
        rankings=ranked(papers, names),
    )


def _fields(line: str) -> list[str]:
    """Return a line's fields without those left empty at its end."""
    return [field.strip() for field in line.rstrip(_AROUND).split(",")]


def _preferences(fields: list[str], line: int, candidates: int) -> tuple[int, ...]:
    """Return the candidates in order, up to a preference left empty."""
    given = takewhile(bool, map(str.strip, fields))
    return tuple(
        read_number(field, line, "a preference", most=candidates) for field in given
    )


def _names(lines: list[_Line], candidates: int, *, last: int) -> list[str]:
    found: dict[int, tuple[str, str]] = {}
    for line, text in lines:
        if match := _CANDIDATE.match(text):
            what = "the number of a candidate"
            number = read_number(match[1], line, what, most=candidates)
            if number in found:
                raise BadBallotFile(line, f"candidate {number} was named before")
            found[number] = _name_and_party(text[match.end() :])
        elif line != last:
            raise BadBallotFile(line, f"neither ballots nor a candidate: {text[:40]}")
    for number in range(1, candidates + 1):
        if number not in found:
            raise BadBallotFile(last, f"the file ends without candidate {number}")
    return unique_names([found[number] for number in range(1, candidates + 1)])


def _name_and_party(text: str) -> tuple[str, str]:
    if _BORDER.search(text):
        *names, party = _BORDER.split(text)
        return ", ".join(names).removeprefix('"'), party.strip(_AROUND)
    name, _, party = text.partition(",")
    return name.strip(_AROUND), party.strip(_AROUND)
