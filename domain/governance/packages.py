"""Packages: all that a result follows from, and whether it does.

A package is one JSON document in canonical form: what was frozen and its hash, the seed
and its commitment, the ballots with identical ones together and their hash, the result
with every round. Nothing is in it that cannot be checked against the rest of it. Who
voted is a list apart (`lists.py`): it is as long as the electorate, the package is not.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy.orm import Session

from domain.governance.cases import Case
from domain.governance.counting import (
    RANKED,
    NotCountable,
    countable,
    counted,
    in_order,
)
from domain.governance.counts import published
from domain.governance.parameters import BadParameters
from domain.governance.record import Freeze
from domain.governance.tallying import seed_of
from domain.tally import Ballots, blt, canonical, regroup
from domain.tally.ballot_files import BallotFile
from domain.tally.documents import Document

FORMAT: Final = "coin package 1"
_MEMBERS: Final = frozenset(
    {
        *("format", "proposal_id", "definition", "definition_sha256"),
        *("commitment", "seed", "ballots", "ballots_sha256", "result"),
    }
)


class BadPackage(ValueError):
    """The file is not a package."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `differs` says how it is not as it was said."""

    what: str
    differs: str = ""

    @property
    def holds(self) -> bool:
        """Say whether it is as it was said to be."""
        return not self.differs


def build(session: Session, case: Case) -> Document:
    """Return the package of a proposal whose votes are counted."""
    tally = published(session, case)
    assert case.freeze is not None, "what is counted was frozen"  # noqa: S101
    return {
        "format": FORMAT,
        "proposal_id": str(case.row.id),
        "definition": json.loads(case.freeze.definition),
        "definition_sha256": case.freeze.sha256,
        "commitment": case.commitment,
        "seed": seed_of(session, case.row.id).hex(),
        "ballots": tally.groups,
        "ballots_sha256": tally.ballots_sha256,
        "result": json.loads(tally.result),
    }


def as_blt(session: Session, case: Case) -> str:
    """Return the ballots as BLT, which has orders of preference only."""
    tally = published(session, case)
    assert case.freeze is not None, "what is counted was frozen"  # noqa: S101
    defined = json.loads(case.freeze.definition)
    if tally.method not in RANKED or not defined["options"]:
        raise NotCountable("Only ballots that rank options are written as BLT.")
    election = countable(case.freeze)
    file = BallotFile(
        title=defined["text"]["title"],
        seats=election.seats,
        options=election.options,
        rankings=regroup(election, tally.groups).rankings(),
    )
    return blt.write(file)


def verify(package: Any) -> Iterator[Check]:
    """Yield what is checked of a package, the count last; raises BadPackage."""
    _require_form(package)
    definition = package["definition"]
    yield _definition(package, definition)
    yield _commitment(package, definition)
    frozen = _frozen(definition)
    if frozen is None:
        yield Check("what was frozen can be counted by", "The definition is not one.")
        return
    try:
        seed = bytes.fromhex(package["seed"])
        ballots, result = counted(frozen, map(_group, package["ballots"]), seed)
    except (TypeError, ValueError) as fault:
        yield Check("the ballots can be counted", f"They cannot: {fault}")
        return
    yield _ballots(package, ballots)
    yield _result(package["result"], result)


def _require_form(package: Any) -> None:
    if not isinstance(package, dict) or package.get("format") != FORMAT:
        raise BadPackage(f'This is no package: "format" is not "{FORMAT}".')
    if package.keys() != _MEMBERS:
        other = sorted(package.keys() ^ _MEMBERS)
        raise BadPackage(f"Members are missing, or more than there are: {other}.")
    kinds = {"definition": dict, "result": dict, "ballots": list}
    for name in _MEMBERS:
        if not isinstance(package[name], kinds.get(name, str)):
            raise BadPackage(f"{name} is not what it should be.")


def _definition(package: Document, definition: Mapping[str, Any]) -> Check:
    what = "what was frozen has the hash that was published, and is of this proposal"
    found = sha256(canonical(definition)).hexdigest()
    if found != package["definition_sha256"]:
        said = package["definition_sha256"]
        return Check(what, f"The hash said is {said}, that of the definition {found}.")
    if definition.get("proposal") != package["proposal_id"]:
        return Check(what, f"It is of proposal {definition.get('proposal')}.")
    return Check(what)


def _commitment(package: Document, definition: Mapping[str, Any]) -> Check:
    what = "the seed of lots is the one committed to before voting opened"
    said = {package["commitment"], definition.get("commitment")}
    try:
        found = sha256(bytes.fromhex(package["seed"])).hexdigest()
    except ValueError:
        return Check(what, "The seed is not hexadecimal.")
    if said != {found} or package["seed"] != package["seed"].lower():
        return Check(what, f"The seed's hash is {found}, committed was {said}.")
    return Check(what)


def _frozen(definition: Mapping[str, Any]) -> Freeze | None:
    """Return the freeze that a definition is of, where it has what is counted by."""
    try:
        electorate = definition["electorate"]
        frozen = Freeze(
            people=electorate["people"],
            weight=electorate["weight"],
            definition=canonical(definition).decode(),
        )
        # Whatever else it should have, a count of no ballots asks for.
        counted(frozen, (), b"")
    except (BadParameters, KeyError, TypeError, ValueError, AttributeError):
        return None
    return frozen


def _group(group: Any) -> tuple[Any, int, int]:
    """Return a ballot with its people and votes, as whole numbers of them."""
    ballot, people, votes = group
    if type(people) is not int or type(votes) is not int or people < 1 or votes < 0:
        raise ValueError(f"{people!r} people with {votes!r} votes cannot be.")
    return ballot, people, votes


def _ballots(package: Document, ballots: Ballots) -> Check:
    what = f"the ballots of {ballots.people} people have the hash that was published"
    if ballots.digest != package["ballots_sha256"]:
        said = package["ballots_sha256"]
        return Check(what, f"The hash said is {said}, theirs is {ballots.digest}.")
    if canonical(in_order(ballots)) != canonical(package["ballots"]):
        return Check(what, "They are not in the order, or the form, they are kept in.")
    return Check(what)


def _result(said: Document, found: Document) -> Check:
    what = "counting the ballots again gives the same result, byte for byte"
    if canonical(said) == canonical(found):
        return Check(what)
    told = next(_differences(said, found, "result"), "They differ in form.")
    return Check(what, told)


def _differences(said: Any, found: Any, place: str) -> Iterator[str]:
    """Yield where two documents differ, in sentences."""
    if isinstance(said, dict) and isinstance(found, dict):
        for name in sorted(said.keys() | found.keys()):
            here = f"{place}.{name}"
            if name not in said or name not in found:
                where = "only in the package" if name in said else "left out"
                yield f"{here} is {where}."
            else:
                yield from _differences(said[name], found[name], here)
    elif isinstance(said, list) and isinstance(found, list):
        if len(said) != len(found):
            yield f"{place} has {len(said)} items, counted were {len(found)}."
        for number, pair in enumerate(zip(said, found, strict=False)):
            yield from _differences(*pair, f"{place}[{number}]")
    elif canonical(said) != canonical(found):
        yield f"{place} is said to be {said!r}, counted was {found!r}."
