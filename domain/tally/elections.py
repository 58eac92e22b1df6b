"""Elections: what is decided among which options, by which method and bounds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, Final, Self

from domain.tally.documents import Document
from domain.tally.thresholds import (
    BadElection,
    Eligible,
    Requirement,
    Whole,
    read_share,
)

OPTIONS_MAX: Final = 1_000
NAME_LENGTH_MAX: Final = 500
# Seats, scores and credits: more is a slip, and would only cost time.
NUMBER_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    """Everything that is fixed before voting opens; each method uses its part."""

    method: str
    options: tuple[str, ...] = ()
    seats: int = 1
    eligible: Eligible | None = None
    quorum: Fraction | None = None
    requirements: tuple[Requirement, ...] = ()
    choices_min: int = 0
    choices_max: int | None = None
    score_max: int = 5
    budget: int = 100
    _known: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_options(self.options)
        object.__setattr__(self, "_known", frozenset(self.options))
        for name in ("seats", "score_max", "budget"):
            _check_number(name, getattr(self, name), least=1)
        _check_number("choices_min", self.choices_min, least=0)
        if self.choices_max is not None:
            least = max(1, self.choices_min)
            _check_number("choices_max", self.choices_max, least=least)
        of_eligible = any(one.of is Whole.ELIGIBLE for one in self.requirements)
        if self.eligible is None and (self.quorum is not None or of_eligible):
            raise BadElection("A share of those eligible needs their number.")

    def has_all(self, options: Iterable[Any]) -> bool:
        """Say whether these are options, all of them."""
        try:
            return self._known.issuperset(options)
        except TypeError:  # a list or an object among them
            return False

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Return the election that JSON describes, as `describe` writes it."""
        names = {one.name for one in fields(cls) if one.init}
        if "method" not in value or value.keys() - names:
            raise BadElection(
                f"An election has a method, and of these: {sorted(names)}"
            )
        found = dict(value)
        for name in ("options", "requirements"):
            if not isinstance(found.setdefault(name, []), list):
                raise BadElection(f"{name} is a list.")
        found["options"] = tuple(found["options"])
        found["requirements"] = tuple(map(Requirement.read, found["requirements"]))
        if found.get("quorum") is not None:
            found["quorum"] = read_share(found["quorum"])
        if found.get("eligible") is not None:
            found["eligible"] = _read_eligible(found["eligible"])
        return cls(**found)

    def describe(self) -> Document:
        """Return the election as JSON shows it; options in order of their names."""
        eligible = self.eligible
        return {
            "method": self.method,
            "options": sorted(self.options),
            "seats": self.seats,
            "eligible": eligible
            and {"people": eligible.people, "weight": eligible.weight},
            "quorum": None if self.quorum is None else str(self.quorum),
            "requirements": [one.describe() for one in self.requirements],
            "choices_min": self.choices_min,
            "choices_max": self.choices_max,
            "score_max": self.score_max,
            "budget": self.budget,
        }


def _check_options(options: tuple[str, ...]) -> None:
    if len(options) > OPTIONS_MAX:
        raise BadElection(f"There are more than {OPTIONS_MAX} options.")
    if not all(
        isinstance(option, str)
        and 0 < len(option) <= NAME_LENGTH_MAX
        and option.isprintable()
        for option in options
    ):
        raise BadElection(
            f"An option's name has 1 to {NAME_LENGTH_MAX} printable characters."
        )
    if len(set(options)) < len(options):
        raise BadElection("Two options have the same name.")


def _check_number(name: str, value: Any, *, least: int) -> None:
    if type(value) is not int or not least <= value <= NUMBER_MAX:
        raise BadElection(f"{name} is a whole number from {least} to {NUMBER_MAX}.")


def _read_eligible(value: Any) -> Eligible:
    if not isinstance(value, Mapping) or value.keys() != {"people", "weight"}:
        raise BadElection("Those eligible are told as people and weight.")
    for name, number in value.items():
        if type(number) is not int or number < 0:
            raise BadElection(f"eligible: {name} is a whole number.")
    return Eligible(value["people"], value["weight"])
