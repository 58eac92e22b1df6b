"""What `coin doctor` found out: how bad it is, and what mends it."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad; the value is what is printed, and in which colour."""

    OK = ("ok", "green")
    WARN = ("warn", "yellow")
    FAIL = ("FAIL", "red")


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    level: Level
    what: str
    fix: str = ""


def ok(what: str) -> Finding:
    """Report that all is well."""
    return Finding(Level.OK, what)


def warn(what: str, fix: str) -> Finding:
    """Report what works, and may not for long or not in every case."""
    return Finding(Level.WARN, what, fix)


def fail(what: str, fix: str) -> Finding:
    """Report what does not work until it is mended."""
    return Finding(Level.FAIL, what, fix)
