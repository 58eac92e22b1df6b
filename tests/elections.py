"""Councils for tests: with members, and elections that were held in them."""

from datetime import timedelta

from domain.councils import countback, elections, keeping, leaving, nominations
from domain.councils.record import CouncilMember
from domain.governance.cases import find, happen
from domain.governance.lifecycle import Event
from domain.governance.record import Freeze, ProposalSeed
from domain.governance.voting_record import Tally
from domain.ids import uuid7
from domain.tally import Election, canonical, count, gather
from tests.factories import NOW, make_claim, make_owner, make_user

ELECTED = NOW + timedelta(days=22)


def make_council(session, **fields):
    return keeping.create(
        session,
        **{
            "name": make_owner("council"),
            "description": "Decides what is planted.",
            "seats": 3,
            "term_days": 365,
            "now": NOW,
            **fields,
        },
    )


def make_member(session, council, user=None, *, now=NOW, **fields):
    """Seat somebody whom no election elected."""
    user = user or make_user(session)
    row = CouncilMember(
        **{
            "id": uuid7(),
            "council_id": council.id,
            "user_id": user.id,
            "role": "member",
            "since": now,
            "until": now + timedelta(days=council.term_days),
            **fields,
        }
    )
    session.add(row)
    session.flush()
    return row


def make_people(session, names):
    """Return people by letters, whose usernames are longer."""
    return {name: make_user(session) for name in names}


def call(session, council, *, now=NOW, **fields):
    caller = make_user(session)
    return elections.call(
        session, council.id, caller=caller.id, by_rule=True, now=now, **fields
    )


def nominate(session, case, people, affiliations, *, now=NOW):
    for name, user in people.items():
        nominations.nominate(
            session,
            case.row.id,
            person=user.id,
            statement="I would.",
            affiliation=affiliations.get(name),
            now=now,
        )


def counted(  # noqa: PLR0913  what an election is
    session, case, council, people, ballots, *, affiliations=None, now=ELECTED
):
    """Store what freeze and tally leave of an election; ballots are in letters."""
    names = {name: user.username for name, user in people.items()}
    options = tuple(sorted(names.values()))
    cast = [([names[one] for one in ballot], 1) for ballot in ballots]
    election = Election(
        method="scottish-stv", options=options, seats=case.text.details["seats"]
    )
    gathered = gather(election, cast)
    seed = session.get_one(ProposalSeed, case.row.id).seed
    result = count(election, gathered, seed)
    given = {names[name]: (affiliations or {}).get(name) for name in names}
    definition = {
        "text": {"details": dict(case.text.details)},
        "options": list(options),
        "seats": election.seats,
        "affiliations": given,
        "affiliation_cap": council.affiliation_cap,
    }
    session.add_all(
        [
            Freeze(
                proposal_id=case.row.id,
                at=now,
                people=len(cast),
                weight=len(cast),
                definition=canonical(definition).decode(),
                sha256="0" * 64,
            ),
            Tally(
                id=uuid7(),
                proposal_id=case.row.id,
                method="scottish-stv",
                advisory=False,
                ballots_sha256=gathered.digest,
                groups=[list(group) for group in gathered],
                result=canonical(result).decode(),
                at=now,
            ),
        ]
    )
    outcome = {"outcome": result["outcome"]}
    happen(session, case.row.id, Event.TALLIED, details=outcome, now=now)
    session.flush()
    return find(session, case.row.id)


def held(session, council, people, ballots, affiliations=None, **fields):
    """Hold an election and seat whom it elects; return what came of it."""
    now = fields.pop("now", NOW)
    later = now + (ELECTED - NOW)
    case = call(session, council, now=now, **fields)
    nominate(session, case, people, affiliations or {}, now=now)
    said = {"affiliations": affiliations, "now": later}
    case = counted(session, case, council, people, ballots, **said)
    told = elections.seat_elected(session, case, now=later)
    happen(session, case.row.id, Event.EXECUTED, details=told, now=later)
    return told


def fill(session, seat, *, now):
    """Do the job that follows when a seat ends early."""
    claim = make_claim(countback.FILL, {"seat_id": str(seat.id)})
    return countback.run(session, claim, now=now)


def resign(session, seat, *, now):
    """Let who has a seat give it up, and whoever is next follow."""
    about = (session, seat.council_id, seat.id)
    leaving.resign(*about, actor=seat.user_id, now=now)
    fill(session, seat, now=now)


def letters(people, seats):
    """Return who these are, in their order, by the letters of a test."""
    names = {user.username: name for name, user in people.items()}
    return "".join(names[seat["username"]] for seat in seats)


def sitting(session, council, people, at=ELECTED):
    """Return who sits, by letters and in their order."""
    names = {user.id: name for name, user in people.items()}
    found = keeping.members(session, council.id, at=at)
    return "".join(sorted(names[seat.user.id] for seat in found))


def seat_of(session, council, user, at=ELECTED):
    found = keeping.members(session, council.id, at=at)
    (row,) = [seat.row for seat in found if seat.user.id == user.id]
    return row
