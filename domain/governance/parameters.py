"""Parameters: the rules of a type of proposals, read from JSON and held together."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, Self

from domain.errors import Invalid
from domain.roles import ROLES
from domain.tally import BadElection, Election, Eligible, Requirement, check
from domain.tally.thresholds import read_share
from domain.tally.weights import RULES as WEIGHTS

MEMBERS: Final = "members"
COUNCIL: Final = "council"
# Whom a type may name: everybody, those of the proposal's council, or of a role.
GROUPS: Final = (MEMBERS, COUNCIL, *(role for role in ROLES if role != COUNCIL))

VOTING_DAYS: Final = (1, 30)
_HOURS_MAX: Final = 24 * 365
_RANK_MAX: Final = 9
_TEXT_LENGTH_MAX: Final = 500
_RANKED: Final = frozenset({"irv", "scottish-stv", "meek-stv"})
_PEOPLE_MAX: Final = 1_000_000_000


class Deed(StrEnum):
    """What follows when a proposal of the type has passed."""

    NONE = "none"
    SPEND = "spend"
    PARAMETERS = "parameters"
    SEATS = "seats"
    RECALL = "recall"


class BadParameters(Invalid):
    """These cannot be the rules of a type."""

    code = "bad_parameters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How proposals of a type are made, voted on, counted and carried out.

    A type is changed by proposals of a higher `rank`; the highest by its own. Shares
    are texts such as "2/3". `electors_days` is how long a member is one before they
    vote.
    """

    about: str
    method: str
    rank: int = 1
    proposers: str = MEMBERS
    electors: str = MEMBERS
    electors_days: int = 0
    discussion_hours: int = 72
    freeze_hours: int = 24
    voting_days: int = 7
    quorum: str | None = None
    requirements: tuple[Requirement, ...] = ()
    weight: str = "one-each"
    secret: bool = False
    replaceable: bool = True
    delegation: bool = False
    delegation_cap: int | None = None
    early_close: bool = False
    extension_hours: int = 0
    deed: Deed = Deed.NONE
    timelock_hours: int = 0
    grace_hours: int = 336
    veto: bool = False
    signed: bool = False
    seats: int = 1
    choices_min: int = 0
    choices_max: int | None = None
    score_max: int = 5
    budget: int = 100

    def __post_init__(self) -> None:
        _check_texts(self)
        _check_numbers(self)
        _check_together(self)
        self.election(_ANY_OPTIONS if self.has_options else ())

    @property
    def has_options(self) -> bool:
        """Say whether one chooses among options, and not between yes and no."""
        return self.method not in {"yes-no", "consent"}

    @property
    def voting(self) -> timedelta:
        """Return how long voting lasts."""
        return timedelta(days=self.voting_days)

    def share(self) -> Fraction | None:
        """Return the quorum as a fraction."""
        return None if self.quorum is None else read_share(self.quorum)

    def election(
        self,
        options: tuple[str, ...],
        *,
        eligible: Eligible | None = None,
        seats: int | None = None,
    ) -> Election:
        """Return what is counted; raises BadParameters when it cannot be."""
        try:
            election = Election(
                method=self.method,
                options=options,
                seats=seats or self.seats,
                eligible=eligible or Eligible(0, 0),
                quorum=self.share(),
                requirements=self.requirements,
                choices_min=self.choices_min,
                choices_max=self.choices_max,
                score_max=self.score_max,
                budget=self.budget,
            )
            check(election)
        except BadElection as fault:
            raise BadParameters(str(fault)) from None
        return election

    def require_seats(self, number: int) -> None:
        """Raise BadParameters unless so many seats can be filled by these rules."""
        self.election(_ANY_OPTIONS, seats=number)

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the parameters that JSON describes, or say what is wrong with them."""
        names = {one.name for one in fields(cls)}
        if not isinstance(value, Mapping) or not {"about", "method"} <= value.keys():
            raise BadParameters("Parameters have `about` and `method` at least.")
        if unknown := value.keys() - names:
            raise BadParameters(f"There are no parameters {sorted(unknown)}.")
        found = dict(value)
        try:
            found["requirements"] = tuple(
                map(Requirement.read, found.get("requirements", ()))
            )
            found["deed"] = Deed(found.get("deed", Deed.NONE))
        except (BadElection, TypeError, ValueError) as fault:
            raise BadParameters(str(fault)) from None
        return cls(**found)

    def describe(self) -> dict[str, Any]:
        """Return the parameters as JSON shows them, all of them."""
        return {
            **asdict(self),
            "requirements": [one.describe() for one in self.requirements],
            "deed": str(self.deed),
        }


# To try whether a method takes the rest; what is voted on has options of its own.
_ANY_OPTIONS: Final = ("one", "another")


def _check_texts(parameters: Parameters) -> None:
    about = parameters.about
    if not isinstance(about, str) or not 0 < len(about) <= _TEXT_LENGTH_MAX:
        raise BadParameters(f"about has 1 to {_TEXT_LENGTH_MAX} characters.")
    for name in ("proposers", "electors"):
        if getattr(parameters, name) not in GROUPS:
            raise BadParameters(f"{name} is one of {', '.join(GROUPS)}.")
    if parameters.weight not in tuple(WEIGHTS):
        raise BadParameters(f"weight is one of {', '.join(WEIGHTS)}.")
    if not isinstance(parameters.method, str):
        raise BadParameters("method is the name of one.")
    if parameters.quorum is not None:
        if not isinstance(parameters.quorum, str):
            raise BadParameters('quorum is a text such as "1/3", or null.')
        try:
            read_share(parameters.quorum)
        except BadElection as fault:
            raise BadParameters(f"quorum: {fault}") from None


_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "rank": (1, _RANK_MAX),
    "electors_days": (0, 3650),
    "discussion_hours": (0, _HOURS_MAX),
    "freeze_hours": (0, _HOURS_MAX),
    "voting_days": VOTING_DAYS,
    "extension_hours": (0, 24 * VOTING_DAYS[1]),
    "timelock_hours": (0, _HOURS_MAX),
    "grace_hours": (1, _HOURS_MAX),
}
_SWITCHES: Final = (
    *("secret", "replaceable", "delegation", "early_close", "veto", "signed"),
)


def _check_numbers(parameters: Parameters) -> None:
    for name, (least, most) in _BOUNDS.items():
        number = getattr(parameters, name)
        if type(number) is not int or not least <= number <= most:
            raise BadParameters(f"{name} is a whole number from {least} to {most}.")
    cap = parameters.delegation_cap
    if cap is not None and (type(cap) is not int or not 1 <= cap <= _PEOPLE_MAX):
        raise BadParameters("delegation_cap is a whole number from 1, or null.")
    for name in _SWITCHES:
        if type(getattr(parameters, name)) is not bool:
            raise BadParameters(f"{name} is true or false.")


def _check_together(parameters: Parameters) -> None:
    """Refuse rules that would undo each other."""
    for holds, why in _undone(parameters):
        if holds:
            raise BadParameters(why)


def _undone(given: Parameters) -> tuple[tuple[bool, str], ...]:
    weighted = given.weight != "one-each"
    quadratic = given.method == "quadratic"
    return (
        (
            given.secret and given.replaceable,
            "A secret ballot cannot be replaced: nothing says whose it is.",
        ),
        (
            given.secret and (weighted or given.delegation),
            "In a secret vote everybody has one vote: its weight would tell whose.",
        ),
        (
            given.secret and given.early_close,
            "A secret vote is open to its end: who settled it would be known by when.",
        ),
        (
            given.secret and quadratic,
            "Quadratic votes are paid for, which the ledger shows: they are open.",
        ),
        (
            quadratic and (weighted or given.delegation),
            "In quadratic voting the budget is all the weight there is.",
        ),
        (
            given.early_close and given.method != "yes-no",
            "Only between yes and no is it certain before the close what comes out.",
        ),
        (
            given.early_close and (given.replaceable or given.delegation),
            "While a vote may still be replaced or overridden nothing is certain.",
        ),
        (
            given.delegation_cap is not None and not given.delegation,
            "delegation_cap is for types with delegation.",
        ),
        (
            given.extension_hours > 0 and given.quorum is None,
            "extension_hours are for a quorum that is reached late.",
        ),
        (
            given.veto and not given.timelock_hours,
            "A veto needs a timelock: that is the time for it.",
        ),
        (
            given.deed is Deed.SEATS and given.method not in _RANKED,
            f"Seats are filled by one of {', '.join(sorted(_RANKED))}.",
        ),
        (
            given.deed not in {Deed.NONE, Deed.SEATS} and given.has_options,
            "What is carried out is decided between yes and no.",
        ),
    )
