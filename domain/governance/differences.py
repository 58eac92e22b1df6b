"""Differences between two versions of a text, made in a bounded time."""

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from itertools import takewhile
from typing import Final

# What difflib takes grows with the square of the lines: for so many some milliseconds.
COMPARED_MAX: Final = 1_000


def difference(
    before: Sequence[str], after: Sequence[str], names: tuple[str, str]
) -> list[str]:
    """Return the lines that differ, as a unified diff.

    Of very many lines, all from the first that differs to the last are shown as other.
    """
    if max(len(before), len(after)) > COMPARED_MAX:
        return list(_whole(before, after, names))
    return list(unified_diff(before, after, *names, lineterm=""))


def _whole(
    before: Sequence[str], after: Sequence[str], names: tuple[str, str]
) -> Iterator[str]:
    if before == after:
        return
    start = _common(before, after)
    end = _common(before[:start:-1], after[:start:-1])
    old = before[start : len(before) - end]
    new = after[start : len(after) - end]
    yield f"--- {names[0]}"
    yield f"+++ {names[1]}"
    yield f"@@ -{_range(start, old)} +{_range(start, new)} @@"
    yield from (f"-{line}" for line in old)
    yield from (f"+{line}" for line in new)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines are the same from the beginning on."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _range(start: int, lines: Sequence[str]) -> str:
    """Return where lines are; of none, after which line they would be."""
    return f"{start + 1 if lines else start},{len(lines)}"
