"""Votes to test with: a council of so many, and a proposal that only they decide."""

from datetime import timedelta
from itertools import count

from domain.councils.record import Council, CouncilMember
from domain.governance import cases, proposals, types
from domain.governance.casting import CAST, CAST_SECRET, cast
from domain.governance.parameters import Parameters
from domain.governance.texts import Text
from domain.ids import uuid7
from domain.tally import Requirement
from tests.factories import NOW, make_claim, make_lane, make_user

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Opened at NOW: voting opens two hours later, and lasts for a day.
VOTING = NOW + 2 * HOUR
CLOSES = VOTING + DAY
SHORT = {"discussion_hours": 1, "freeze_hours": 1, "voting_days": 1}

_numbers = count(1)


def make_council(session, people, **fields):
    """Return a council whose members are these people."""
    council = Council(
        **{
            "id": uuid7(),
            "name": f"council {uuid7()}",
            "description": "",
            "seats": 3,
            "term_days": 365,
            "created_at": NOW,
            **fields,
        }
    )
    session.add(council)
    session.flush()
    for person in people:
        seat(session, council.id, person)
    return council.id


def seat(session, council_id, person, **fields):
    made = CouncilMember(
        **{
            "id": uuid7(),
            "council_id": council_id,
            "user_id": person,
            "role": "member",
            "since": NOW - DAY,
            "until": NOW + 365 * DAY,
            **fields,
        }
    )
    session.add(made)
    session.flush()
    return made


def make_people(session, number):
    return [make_user(session, now=NOW - DAY).id for _ in range(number)]


def make_type(session, **rules):
    """Return the name of a type with these rules, decided by a council."""
    needed = [Requirement.read(one) for one in rules.pop("requirements", ())]
    parameters = Parameters(
        **{
            "about": "For a test.",
            "method": "yes-no",
            "electors": "council",
            "requirements": tuple(needed),
            **SHORT,
            **rules,
        }
    )
    name = f"type_{next(_numbers)}_{uuid7().hex[:12]}"
    return types.change(session, name, parameters, changed_by=uuid7(), now=NOW).name


def make_vote(session, people, *, options=(), details=None, council=None, **rules):
    """Return a proposal that was opened at NOW, for these people to decide on."""
    author = make_user(session, now=NOW - DAY).id
    text = Text(
        title="A title of some words",
        description="A description of some more words",
        options=options,
        details=details or {},
    )
    case = proposals.create(
        session,
        author=author,
        type_name=make_type(session, **rules),
        text=text,
        council_id=council or make_council(session, people),
        now=NOW,
    )
    row = proposals.open_(session, case.row.id, actor=author, by_rule=True, now=NOW).row
    return row.id


def ballot(proposal_id, voter, choice="yes", *, at=VOTING, secret=False, **fields):
    """Return the claim of a ballot that was accepted then."""
    payload = {"proposal_id": str(proposal_id), "choice": choice, **fields}
    kind = CAST_SECRET if secret else CAST
    return make_claim(kind, payload, principal=voter, submitted_at=at)


def vote(session, *claims, lane=None, now=None):
    """Cast ballots together; return for each what its voter is told, or the code."""
    now = now or max(claim.submitted_at for claim in claims)
    outcomes = cast(session, claims, lane=lane or make_lane(), now=now)
    assert [one.id for one in outcomes] == [claim.id for claim in claims]
    return [one.refusal.code if one.refusal else one.result for one in outcomes]


def find(session, proposal_id):
    return cases.find(session, proposal_id)
