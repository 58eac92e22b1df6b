"""Bounds: how few and how many workers a group may have."""

from typing import NamedTuple

from domain.workers import GROUPS


class BadBounds(ValueError):
    """CONTROLLER_BOUNDS asks for what cannot be."""


class Bounds(NamedTuple):
    """What the policy keeps to; an operator's order need not."""

    least: int
    most: int


def bounds(setting: str, *, size_max: int | None = None) -> dict[str, Bounds]:
    """Return each group's bounds: as CONTROLLER_BOUNDS has them, else its own.

    `size_max` is what its target takes.
    """
    found = {name: Bounds(group.least, group.most) for name, group in GROUPS.items()}
    for part in setting.split(",") if setting else ():
        name, _, span = part.strip().partition("=")
        if name not in GROUPS:
            groups = ", ".join(GROUPS)
            raise BadBounds(
                f"CONTROLLER_BOUNDS: there is no group {name!r}, but {groups}"
            )
        least, _, most = span.partition("-")
        if size_max is not None and int(most) > size_max:
            raise BadBounds(
                f"CONTROLLER_BOUNDS: the target takes up to {size_max} of {name}, not "
                f"{most}"
            )
        found[name] = Bounds(int(least), int(most))
    return found
