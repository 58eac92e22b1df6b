"""Bounds: how few and how many workers a group may have."""

from typing import NamedTuple

from domain.workers import GROUPS


class BadBounds(ValueError):
    """CONTROLLER_BOUNDS names a group there is not."""


class Bounds(NamedTuple):
    """What the policy keeps to; an operator's order need not."""

    least: int
    most: int


def bounds(setting: str) -> dict[str, Bounds]:
    """Return each group's bounds: as CONTROLLER_BOUNDS has them, else its own."""
    found = {name: Bounds(group.least, group.most) for name, group in GROUPS.items()}
    for part in setting.split(",") if setting else ():
        name, _, span = part.strip().partition("=")
        if name not in GROUPS:
            groups = ", ".join(GROUPS)
            raise BadBounds(
                f"CONTROLLER_BOUNDS: there is no group {name!r}, but {groups}"
            )
        least, _, most = span.partition("-")
        found[name] = Bounds(int(least), int(most))
    return found
