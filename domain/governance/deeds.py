"""Deeds: what a proposal asks to be carried out, read from its details."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from domain import users
from domain.governance import types
from domain.governance.parameters import Deed, Parameters
from domain.governance.record import BadProposal
from domain.governance.texts import Text
from domain.users import NoSuchUser

# Within what every reader of JSON holds exactly.
AMOUNT_MAX: Final = 2**53
# These follow from an election and from a recall, which make their proposals.
CALLED: Final = frozenset({Deed.SEATS, Deed.RECALL})


@dataclass(frozen=True, slots=True)
class Spend:
    """Credits from the treasury to a member."""

    to: UUID
    amount: int


@dataclass(frozen=True, slots=True)
class Seats:
    """Seats to be filled; `everybody`: all those of the council."""

    number: int
    everybody: bool


@dataclass(frozen=True, slots=True)
class Change:
    """New rules of a type of proposals."""

    name: str
    parameters: Parameters


def require_by_hand(rules: Parameters) -> None:
    """Raise BadProposal where a proposal is made by what it follows from."""
    if rules.deed in CALLED:
        raise BadProposal(
            "Elections and recalls make their proposals: call one in the council."
        )


def check(session: Session, rules: Parameters, text: Text) -> None:
    """Raise BadProposal unless what a text asks for can be carried out as it is."""
    if (checking := _CHECKS.get(rules.deed)) is not None:
        checking(session, rules, text.details)


def read_spend(details: Mapping[str, Any]) -> Spend:
    """Return the spend that details describe, or raise BadProposal."""
    if details.keys() != {"to", "amount"}:
        raise BadProposal('details of a spend are {"to": a member, "amount": credits}.')
    amount = details["amount"]
    if type(amount) is not int or not 0 < amount <= AMOUNT_MAX:
        raise BadProposal(f"amount is a whole number from 1 to {AMOUNT_MAX}.")
    try:
        return Spend(UUID(details["to"]), amount)
    except (AttributeError, TypeError, ValueError):
        raise BadProposal("to is the id of a member.") from None


def read_seats(details: Mapping[str, Any]) -> Seats:
    """Return the seats that details describe, or raise BadProposal."""
    if details.keys() != {"seats", "all"}:
        raise BadProposal('details of an election are {"seats": how many, "all": …}.')
    number, everybody = details["seats"], details["all"]
    if type(number) is not int or number < 1 or type(everybody) is not bool:
        raise BadProposal("seats is a whole number from 1, all is true or false.")
    return Seats(number, everybody)


def read_change(details: Mapping[str, Any]) -> Change:
    """Return the change that details describe, or raise BadProposal."""
    if details.keys() != {"type", "parameters"}:
        raise BadProposal(
            'details of a change are {"type": its name, "parameters": all of them}.'
        )
    name = details["type"]
    if not isinstance(name, str) or not types.NAME.fullmatch(name):
        raise BadProposal("type has 2 to 64 of the letters a to z, digits and _.")
    return Change(name, Parameters.read(details["parameters"]))


def require_member(session: Session, spend: Spend) -> None:
    """Raise BadProposal unless there is somebody to spend on."""
    try:
        users.get(session, spend.to)
    except NoSuchUser:
        raise BadProposal("to is the id of a member; nobody has this one.") from None


def require_change(session: Session, by: Parameters, change: Change) -> None:
    """Raise BadProposal unless rules like these may make this change as things are."""
    found = {rules.name: rules.parameters for rules in types.newest(session)}
    highest = max(rules.rank for rules in found.values())
    target = found.get(change.name)
    if not types.may_change(by, target, change.parameters, highest=highest):
        raise BadProposal(
            "Rules are changed by a proposal of a stricter type, and not past it; "
            "the strictest alone changes itself and adds types."
        )
    after = {**found, change.name: change.parameters}.values()
    strictest = max(rules.rank for rules in after)
    if not any(
        rules.deed is Deed.PARAMETERS and rules.rank == strictest for rules in after
    ):
        raise BadProposal("After this nobody could ever change the rules again.")


def _check_spend(
    session: Session, _rules: Parameters, details: Mapping[str, Any]
) -> None:
    require_member(session, read_spend(details))


def _check_change(
    session: Session, rules: Parameters, details: Mapping[str, Any]
) -> None:
    require_change(session, rules, read_change(details))


def _check_seats(
    _session: Session, rules: Parameters, details: Mapping[str, Any]
) -> None:
    rules.require_seats(read_seats(details).number)


_CHECKS: Final[
    Mapping[Deed, Callable[[Session, Parameters, Mapping[str, Any]], None]]
] = {
    Deed.SPEND: _check_spend,
    Deed.PARAMETERS: _check_change,
    Deed.SEATS: _check_seats,
}
