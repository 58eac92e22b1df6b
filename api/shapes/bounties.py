"""What is answered about bounties, and about claims to them."""

from api.shapes.ledger import Transfer
from api.shapes.members import (
    A_PERSON,
    Shape,
    identity,
    moment,
    nested,
    text,
    whole,
)


class Bounty(Shape):
    """Credits held for something to be done."""

    id = identity()
    creator = identity(A_PERSON)
    proposal_id = identity(None, null=True, about="The decision it comes from.")
    title = text("Water the tulips in August")
    description = text("Twice a week, the beds along the canal.")
    reward = whole(5, about="Credits for each who has done it.")
    participants_max = whole(2)
    participants = whole(1, about="Claims that are not rejected.")
    paid = whole(0)
    held = whole(10, about="`reward` for each place not paid, until it is closed.")
    account = text("@bounty:01990b1e-7c1d-7a52-9f0e-6a4a2f9d1c11")
    state = text("open", about="`open`, `full`, `expired` or `closed`.")
    expires_at = moment()
    created_at = moment()
    closed_at = moment(None, null=True)
    held_by = identity(about="The transfer that holds its credits.")
    refunded_by = identity(None, null=True, about="The one that returned the rest.")


class BountyClaim(Shape):
    """Somebody who says to have done it."""

    bounty_id = identity()
    user_id = identity(A_PERSON)
    proof = text("The beds are wet, see https://example.org/tulips.jpg")
    state = text("claimed", about="`claimed`, `paid` or `rejected`.")
    at = moment()
    rejected_at = moment(None, null=True)
    paid_at = moment(None, null=True)
    paid_by = identity(None, null=True, about="The transfer.")


class BountyCreated(Shape):
    """A new bounty, and the transfer that holds its credits."""

    bounty = nested(Bounty)
    transfer = nested(Transfer)
    balance = whole(10, about="What its creator has left.")


class BountyPaid(Shape):
    """A claim that was paid, and the transfer that did."""

    claim = nested(BountyClaim)
    transfer = nested(Transfer)
    balance = whole(5, about="What the bounty holds after it.")


class BountyClosed(Shape):
    """A bounty that is over; what was left of it was returned."""

    bounty = nested(Bounty)
