"""Councils that examples speak of: a person sits in one, beside another."""

from datetime import UTC, datetime, timedelta

from domain import users
from domain.councils import recalls
from domain.councils.record import Absence
from domain.ids import uuid7
from tests.elections import call, make_council, make_member, nominate
from tests.factories import make_user


def makers(world):
    """Return what makes the things of councils, each as its route needs it."""
    made = {}

    def council(_described):
        with world.sessions.begin() as session:
            made["council"] = make_council(session)
            user = users.get(session, world.person.user.id)
            made["own"] = make_member(session, made["council"], user)
            made["other"] = make_member(session, made["council"])
        return made["council"].id

    def seat(described):
        own = described.path.endswith("/answer") or described.method == "DELETE"
        found = made["own" if own else "other"]
        if described.path.endswith(("/answer", "/vacancy")):
            missed(found)
        return found.id

    def missed(member):
        before = datetime.now(UTC) - timedelta(days=31)
        with world.sessions.begin() as session:
            session.add(
                Absence(
                    id=uuid7(),
                    member_id=member.id,
                    reported_by=made["own"].user_id,
                    at=before,
                )
            )

    def election(described):
        now = datetime.now(UTC)
        with world.sessions.begin() as session:
            case = call(session, make_council(session), now=now)
            if described.method != "POST":
                person = {"": users.get(session, world.person.user.id)}
                nominate(session, case, person, {}, now=now)
        return case.row.id

    def recall(_described):
        with world.sessions.begin() as session:
            return recalls.call(
                session,
                made["council"].id,
                caller=make_user(session).id,
                member_id=None,
                reason="Nobody has seen them since spring.",
                now=datetime.now(UTC),
            ).id

    return {
        "council_id": council,
        "seat_id": seat,
        "election_id": election,
        "recall_id": recall,
    }
