"""Proposals for tests: drafted, opened, decided, at times of the test's choice."""

from datetime import timedelta

from domain.governance import cases, proposals, types
from domain.governance.lifecycle import Event
from domain.governance.texts import Text
from tests.factories import NOW, make_user

TITLE = "Plant lime trees along the canal"
WORDS = "Twelve trees between the two bridges, planted in autumn."


def make_text(**fields):
    return Text(**{"title": TITLE, "description": WORDS, "details": {}, **fields})


def make_draft(session, *, type_name="simple_majority", author=None, now=NOW, **fields):
    """Draft a proposal; fields of its text may be given beside its own."""
    own = {key: fields.pop(key) for key in ("council_id", "amends") if key in fields}
    return proposals.create(
        session,
        author=author or make_user(session, now=now).id,
        type_name=type_name,
        text=make_text(**fields),
        now=now,
        **own,
    )


def make_open(session, *, now=NOW, **fields):
    """Draft a proposal and open it to discussion at once."""
    case = make_draft(session, now=now, **fields)
    return proposals.open_(session, case.row.id, actor=case.row.author, now=now)


def make_decided(session, *, closed_at=NOW, passed=True, type_name, **fields):
    """Open a proposal so that voting closed at a time, and have it decided then.

    `passed=None` leaves it to be decided.
    """
    rules = types.current(session, type_name).parameters
    hours = timedelta(hours=rules.discussion_hours + rules.freeze_hours)
    opened = closed_at - rules.voting - hours
    case = make_open(session, type_name=type_name, now=opened, **fields)
    if passed is not None:
        told = {"outcome": "passed" if passed else "failed"}
        cases.happen(session, case.row.id, Event.TALLIED, details=told, now=closed_at)
    return cases.find(session, case.row.id)


def make_spend(session, *, amount=1, to=None, **fields):
    """Decide for a spend of the treasury."""
    to = to or make_user(session).id
    details = {"to": str(to), "amount": amount}
    return make_decided(session, type_name="treasury_spend", details=details, **fields)
