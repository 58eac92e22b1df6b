"""Lists of voters: everybody's ballot in an open vote, the receipts of a secret one.

Lines of JSON: first what the list is of, then one line for each voter in the order of
their ids (or for each receipt, in the order of receipts), and at the end how many there
were and the SHA-256 of all lines before, so that a list cut short is found out.
"""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from domain.governance.ballot_parts import FIRST, voters
from domain.governance.cases import Case
from domain.governance.counting import counted, in_order
from domain.governance.counts import published
from domain.governance.packages import BadPackage, Check
from domain.governance.record import Freeze
from domain.governance.voting_record import BallotReceipt
from domain.tally import canonical
from domain.tally.documents import Document

FORMAT: Final = "coin voters 1"
LINES_A_PAGE: Final = 50_000
_LINE_MEMBERS: Final = 4

# Where a page ended: a voter, or a receipt.
Last = Any


def head(session: Session, case: Case) -> Document:
    """Return the first line, or say why there is no list."""
    tally = published(session, case)
    return {
        "format": FORMAT,
        "proposal_id": str(case.row.id),
        "ballots_sha256": tally.ballots_sha256,
        "of": "receipts" if case.parameters.secret else "voters",
    }


def page(
    session: Session, case: Case, *, after: Last | None, count: int = LINES_A_PAGE
) -> tuple[list[Any], Last | None]:
    """Return the next lines and where they end; None after the last."""
    if case.parameters.secret:
        found = session.scalars(
            sa.select(BallotReceipt.receipt)
            .where(
                BallotReceipt.proposal_id == case.row.id,
                BallotReceipt.receipt > (after or ""),
            )
            .order_by(BallotReceipt.receipt)
            .limit(count)
        ).all()
        return list(found), found[-1] if found else None
    lines = voters(session, case, after=after or FIRST, count=count)
    shown = [[str(one.voter), one.ballot, one.people, one.votes] for one in lines]
    return shown, lines[-1].voter if lines else None


def written(first: Document, pages: Iterable[list[Any]]) -> Iterator[bytes]:
    """Yield a list as it is sent, a page at a time."""
    digest, lines = sha256(), 0
    text = canonical(first) + b"\n"
    for one in pages:
        digest.update(text)
        yield text
        lines += len(one)
        text = b"".join(canonical(line) + b"\n" for line in one)
    digest.update(text)
    yield text
    yield canonical({"lines": lines, "sha256": digest.hexdigest()}) + b"\n"


def verify(package: Document, raw: bytes) -> Iterator[Check]:
    """Yield what is checked of a list beside a package that holds."""
    *lines, last = raw.splitlines(keepends=True) or [b""]
    try:
        first, *rest = [json.loads(line) for line in lines]
        end = json.loads(last)
        if first["format"] != FORMAT:
            raise BadPackage(f'This is no list of voters: no "{FORMAT}".')
        of = first["of"], first["proposal_id"], first["ballots_sha256"]
    except (KeyError, TypeError, ValueError) as fault:
        raise BadPackage(f"This is no list of voters: {fault}") from None
    yield _whole(lines, len(rest), end)
    yield _belongs(package, of)
    yield _receipts(package, rest) if of[0] == "receipts" else _voters(package, rest)


def _whole(lines: list[bytes], count: int, end: Any) -> Check:
    what = f"the list of {count} lines is whole"
    found = {"lines": count, "sha256": sha256(b"".join(lines)).hexdigest()}
    return Check(what, "" if end == found else f"Its last line should be {found}.")


def _belongs(package: Document, of: tuple[Any, Any, Any]) -> Check:
    what = "the list is of this package"
    wanted = (package["proposal_id"], package["ballots_sha256"])
    secret = package["definition"]["parameters"]["secret"]
    kind = "receipts" if secret else "voters"
    return Check(what, "" if of == (kind, *wanted) else f"It is of {of[1:]}.")


def _receipts(package: Document, lines: list[Any]) -> Check:
    people = package["result"]["ballots"]["people"]
    what = f"there is one receipt for each of {people} ballots"
    if lines != sorted(set(lines)):
        return Check(what, "One is there twice, or they are not in order.")
    return Check(what, "" if len(lines) == people else f"There are {len(lines)}.")


def _voters(package: Document, lines: list[Any]) -> Check:
    what = f"the ballots of {len(lines)} voters add up to those that were counted"
    if any(not isinstance(one, list) or len(one) != _LINE_MEMBERS for one in lines):
        return Check(what, "A line is not a voter, a ballot, people and votes.")
    names = [one[0] for one in lines]
    if names != sorted(set(names)):
        return Check(what, "A voter is there twice, or they are not in order.")
    definition = package["definition"]
    electorate = definition["electorate"]
    frozen = Freeze(
        people=electorate["people"],
        weight=electorate["weight"],
        definition=canonical(definition).decode(),
    )
    groups = ((ballot, people, votes) for _, ballot, people, votes in lines)
    try:
        ballots, _ = counted(frozen, groups, b"")
    except (TypeError, ValueError) as fault:
        return Check(what, f"They cannot be counted: {fault}")
    same = canonical(in_order(ballots)) == canonical(package["ballots"])
    return Check(what, "" if same else "They add up to others.")
