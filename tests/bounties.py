"""Bounties for tests, made as their jobs make them."""

from datetime import timedelta

from domain.bounties import claiming, holding, keeping
from domain.ids import uuid7
from domain.ledger import balance
from tests.factories import NOW, fund, make_claim, make_lane, make_user

# After any test that goes by the real clock, too.
EXPIRES = NOW + timedelta(days=36_500)


def balance_of(session, owner):
    return balance(session, application="commons", owner=str(owner)).balance


def held(session, bounty_id):
    """Return what a bounty's account has, as the ledger knows it."""
    return balance_of(session, keeping.account_of(bounty_id))


def job(kind, principal, **payload):
    payload = {"nonce": str(uuid7()), **payload}
    return make_claim(kind, payload, principal=principal)


def creation(creator, **fields):
    return job(
        holding.CREATE,
        creator,
        creator=str(creator),
        **{
            "title": "Water the tulips",
            "description": "Twice a week.",
            "reward": 5,
            "participants_max": 2,
            "expires_at": EXPIRES.isoformat(),
            "proposal_id": None,
            **fields,
        },
    )


def create(session, *claims, now=NOW):
    return holding.create(session, claims, lane=make_lane(), now=now)


def make_bounty(session, creator=None, *, now=NOW, **fields):
    """Return the id of a new bounty, whose creator has just enough for it."""
    creator = creator or make_user(session, now=now).id
    claim = creation(creator, **fields)
    wanted = claim.payload["reward"] * claim.payload["participants_max"]
    fund(session, str(creator), times=-(-wanted // 10), now=now)
    (done,) = create(session, claim, now=now)
    assert done.refusal is None
    return claim.id


def claim(session, bounty_id, person=None, *, now=NOW):
    person = person or make_user(session).id
    claiming.claim(session, bounty_id, person=person, proof="See there.", now=now)
    return person


def acceptance(session, bounty_id, person, **fields):
    creator = keeping.find(session, bounty_id).row.creator
    named = {"bounty_id": str(bounty_id), "user_id": str(person)}
    return job(holding.PAY, creator, **named, **fields)


def pay(session, bounty_id, person, *, now=NOW):
    made = acceptance(session, bounty_id, person)
    (done,) = holding.pay(session, [made], lane=make_lane(), now=now)
    return done


def close(session, bounty_id, *, now=NOW):
    creator = keeping.find(session, bounty_id).row.creator
    made = job(holding.CLOSE, creator, bounty_id=str(bounty_id))
    (done,) = holding.close(session, [made], lane=make_lane(), now=now)
    return done
