"""Councils for tests of who may decide; how seats are filled is tested elsewhere."""

from datetime import timedelta

from domain.councils.record import Council, CouncilMember
from domain.ids import uuid7
from tests.factories import NOW, make_owner

YEAR = timedelta(days=365)


def make_council(session, *members, left=None, now=NOW):
    """Make a council of these members, and of one who has left; return its id."""
    council = Council(
        id=uuid7(),
        name=make_owner("council"),
        description="For a test.",
        seats=5,
        term_days=365,
        affiliation_cap=None,
        created_at=now,
    )
    session.add(council)
    session.flush()
    for user_id in (*members, *([left] if left else [])):
        gone = {"ended_at": now, "ended_because": "resigned"} if user_id == left else {}
        session.add(
            CouncilMember(
                id=uuid7(),
                council_id=council.id,
                user_id=user_id,
                role="member",
                since=now,
                until=now + YEAR,
                **gone,
            )
        )
    session.flush()
    return council.id
