"""BLT, the format in which counting programs exchange ranked ballots.

    4 2                 candidates and seats
    -3                  candidates who withdrew
    12 1 2 0            ballots with this order of preference, closed by 0
    5 2 4=1 - 3 0       = shares a preference, - skips one
    0                   no more ballots
    "Ada Lovelace"      a name for each candidate, perhaps the party after it
    "A title"

What follows # is a comment, and an id in brackets before a ballot is passed over.
"""

import re
from collections import Counter
from collections.abc import Iterator
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

_END: Final = "0"
_SKIPPED: Final = "-"
_QUOTED: Final = r'"(?:[^"\\]|\\.|"")*"'
_COMMENT: Final = re.compile(rf"({_QUOTED})|#.*")
_ID: Final = re.compile(r"^\([^)]*\)")


def read(text: str) -> BallotFile:
    """Return what a BLT file says."""
    lines = _Lines(text)
    candidates, seats = read_head(lines.next("its first line").split(), lines.number)
    withdrawn: set[int] = set()
    papers: Counter[tuple[int, ...]] = Counter()
    while (line := lines.next("the 0 that ends the ballots")) != _END:
        first, *rest = _ID.sub("", line).split() or [""]
        if first.startswith("-"):
            withdrawn.update(_withdrawn(one, lines, candidates) for one in line.split())
        else:
            votes = read_votes(first, lines.number)
            papers[_preferences(rest, lines, candidates)] += votes
    named = [_name(lines.next("the last name"), lines) for _ in range(candidates)]
    names = unique_names(named)
    return BallotFile(
        title=_title(lines),
        seats=seats,
        options=tuple(
            name for number, name in enumerate(names, 1) if number not in withdrawn
        ),
        rankings=ranked(papers, names, frozenset(withdrawn)),
        withdrawn=tuple(names[number - 1] for number in sorted(withdrawn)),
    )


def write(file: BallotFile) -> str:
    """Return the file as BLT, ballots in order of their preferences."""
    everybody = [*file.options, *file.withdrawn]
    numbers = {name: number for number, name in enumerate(everybody, 1)}
    ballots = sorted(
        ([numbers[name] for name in ranking], votes)
        for ranking, votes in file.rankings.items()
    )
    lines = [
        f"{len(everybody)} {file.seats}",
        *(f"-{numbers[name]}" for name in file.withdrawn),
        *(" ".join(map(str, [votes, *order, _END])) for order, votes in ballots),
        _END,
        *map(_quoted, [*everybody, file.title]),
    ]
    return "\n".join(lines) + "\n"


class _Lines:
    """The lines that say something, one after another; `number` is of the last."""

    def __init__(self, text: str) -> None:
        self.number = 1
        self._lines = self._without_comments(text)

    def next(self, what: str) -> str:
        """Return the next line, which must be there."""
        for line in self._lines:
            return line
        raise BadBallotFile(self.number, f"the file ends before {what}")

    def rest(self) -> Iterator[str]:
        """Yield the lines that are left."""
        return self._lines

    def _without_comments(self, text: str) -> Iterator[str]:
        for number, line in enumerate(text.split("\n"), 1):
            if shown := _COMMENT.sub(lambda match: match[1] or "", line).strip():
                self.number = number
                yield shown


def _withdrawn(field: str, lines: _Lines, candidates: int) -> int:
    what = "the number after a minus"
    return read_number(field.removeprefix("-"), lines.number, what, most=candidates)


def _preferences(fields: list[str], lines: _Lines, candidates: int) -> tuple[int, ...]:
    """Return the candidates in order, as far as the order is plain."""
    if not fields or fields[-1] != _END:
        raise BadBallotFile(lines.number, "a ballot ends with 0")
    found: list[int] = []
    plain = True
    for field in fields[:-1]:
        shared = [
            read_number(one, lines.number, "a preference", most=candidates)
            for one in field.split("=")
            if field != _SKIPPED
        ]
        plain = plain and len(shared) == 1
        if plain:
            found += shared
    return tuple(found)


def _name(line: str, lines: _Lines) -> tuple[str, str]:
    """Return a name and the party that may follow it."""
    parts = re.findall(_QUOTED, line)
    if not parts or not line.startswith('"'):
        raise BadBallotFile(lines.number, f"a name stands in quotes, not {line[:40]}")
    name, *party = (re.sub(r'\\(.)|""', _unescaped, part[1:-1]) for part in parts)
    return name, " ".join(party)


def _title(lines: _Lines) -> str:
    return next((_name(line, lines)[0] for line in lines.rest()), "")


def _unescaped(match: re.Match[str]) -> str:
    return match[1] or '"'


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '""')
    return f'"{escaped}"'
