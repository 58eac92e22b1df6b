"""Secrecy: which ballots are sealed before anybody stores them, and to what length."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from domain.governance import cases
from domain.governance.freezing import options_of
from domain.governance.lifecycle import Event
from domain.governance.spending import QUADRATIC
from domain.tally import canonical
from domain.tally.consent import REASON_LENGTH_MAX
from domain.tally.elections import NUMBER_MAX

# What stands about an option in a list of pairs, and the longest number.
_ABOUT_AN_OPTION: Final = len(f"[,{NUMBER_MAX}],")
# JSON writes a character in six bytes at most, as \u0000.
_REASON_BYTES_MAX: Final = len('{"objection":""}') + 6 * REASON_LENGTH_MAX


class Secrecy(NamedTuple):
    """Whether ballots are sealed, and how long the longest of the vote may be.

    `settled`: it stays so. `paid`: they cost credits, which those in the open alone do.
    """

    sealed: bool
    longest: int
    settled: bool
    paid: bool = False


def secrecy_of(session: Session, proposal_id: UUID, *, now: datetime) -> Secrecy:
    """Return how ballots on a proposal are sealed, or raise NoSuchProposal.

    Its type may change until it is opened: so long, anything cast is taken for secret.
    """
    case = cases.find(session, proposal_id)
    if Event.OPENED not in case.events:
        return Secrecy(sealed=True, longest=0, settled=False)
    if not case.parameters.secret:
        paid = case.parameters.method == QUADRATIC
        return Secrecy(sealed=False, longest=0, settled=True, paid=paid)
    if case.timeline is None or now < case.timeline.voting:
        # Nothing cast by now counts, and options may yet be added.
        return Secrecy(sealed=True, longest=0, settled=False)
    longest = _longest(case.parameters.method, options_of(session, case))
    return Secrecy(sealed=True, longest=longest, settled=True)


def _longest(method: str, options: Iterable[str]) -> int:
    """Return how many bytes the longest ballot of a vote may have as JSON."""
    if method == "consent":
        return _REASON_BYTES_MAX
    return 2 + sum(len(canonical(one)) + _ABOUT_AN_OPTION for one in options)
