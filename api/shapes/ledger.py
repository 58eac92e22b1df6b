"""What is answered of the ledger, and of content that is paid for in it."""

from typing import Final

from marshmallow import validate

from api.shapes.members import (
    AN_ID,
    Shape,
    identity,
    mapping,
    moment,
    nested,
    several,
    text,
    truth,
    whole,
)

_ISSUED: Final = {"examples": [{"owner_id": "@issuance", "balance": -10, "version": 1}]}
_OUTCOMES: Final = ("applied", "replayed", "refused")


class Side(Shape):
    """One side of a transfer: the account as the transfer left it."""

    owner_id = text("alice")
    balance = whole(10)
    version = whole(1)


class Transfer(Shape):
    """A transfer with both its sides."""

    id = identity()
    application = text("commons")
    operation = text("CREDIT_ADD")
    amount = whole(10)
    debit = nested(Side, metadata=_ISSUED)
    credit = nested(Side)
    nonce = text("order-17")
    metadata = mapping({"note": "garden day"}, null=True)
    reversal_of = identity(None, null=True)
    job_id = identity()
    created_at = moment()


class Written(Shape):
    """What a write did: the transfer, and the owner's balance after it."""

    transfer = nested(Transfer)
    balance = whole(10)


class Content(Shape):
    """One piece of content."""

    id = identity()
    application = text("content")
    owner_id = text("alice")
    title = text("First words", null=True)
    created_at = moment()


class Published(Written):
    """What publishing did: the content, and what was paid for it."""

    content = nested(Content)


class EntryProblem(Shape):
    """Why an entry of a batch was refused."""

    code = text("insufficient_credits")
    detail = text("The account has fewer credits than this needs.")


class EntryOutcome(Shape):
    """What became of one entry of a batch."""

    index = whole(0)
    state = text("applied", validate=validate.OneOf(_OUTCOMES))
    transfer = identity(required=False, about="Unless it was refused.")
    balance = whole(10, required=False, about="Unless it was refused.")
    problem = nested(EntryProblem, required=False)


class BatchOutcome(Shape):
    """What became of a batch, entry by entry."""

    atomic = truth(example=False)
    applied = whole(1)
    replayed = whole(0)
    refused = whole(0)
    outcomes = several(EntryOutcome)


class Balance(Shape):
    """An owner's balance; one without an account has none, at version 0."""

    owner_id = text("alice")
    application = text("commons")
    balance = whole(10)
    version = whole(1, about="How many transfers have changed it.")
    last_updated = moment(null=True)


class Entry(Shape):
    """One line of an owner's statement."""

    transfer_id = identity()
    operation = text("CREDIT_ADD")
    amount = whole(10, about="What the balance changed by; negative when it paid.")
    balance_after = whole(10)
    version = whole(1)
    counterparty = text("@issuance")
    nonce = text("order-17")
    metadata = mapping(None, null=True)
    reversal_of = identity(None, null=True)
    created_at = moment()


class Operation(Shape):
    """What an application can do, and for how many credits."""

    operation = text("SIGNUP_CREDIT")
    amount = whole(3)
    once = text("per owner", null=True)
    scope = text("ledger:spend")


class OperationList(Shape):
    """Every operation of an application."""

    application = text("commons")
    operations = several(Operation)


class TrialBalance(Shape):
    """The books in three numbers."""

    application = text("commons")
    sum = whole(0, about="Always 0: what one has, another gave.")
    accounts = whole(2)
    transfers = whole(1)
    as_of = moment()


STATEMENT_CSV: Final = (
    "transfer_id,operation,amount,balance_after,version,counterparty,nonce,metadata,"
    f"reversal_of,created_at\r\n{AN_ID},CREDIT_ADD,10,10,1,@issuance,order-17,,,"
    "2026-11-20T21:50:00+00:00\r\n"
)
