"""Any sequence of writes, split into batches anyhow, against the model in memory."""

from datetime import UTC, datetime
from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ids import transfer_id, uuid7
from domain.ledger import balance, trial_balance, writes
from domain.ledger.writes import (
    POST_BATCH,
    POST_OPERATION,
    POST_TRANSFER,
    REVERSE_TRANSFER,
)
from tests import databases
from tests.audit import faults
from tests.domain.ledger.model import SYSTEM, Books
from tests.factories import NOW, make_claim, make_lane, make_owner

OWNERS = [make_owner(name) for name in ("ada", "ben", "cat")]
PRINCIPALS = [uuid7(), uuid7()]
# Before and after a midnight in UTC, so that days end in mid-sequence.
MOMENTS = [
    datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 11, 21, tzinfo=UTC),
]

owners = st.sampled_from(OWNERS)
nonces = st.integers(0, 9).map("n{}".format)
notes = st.sampled_from([None, {"a": 1}])
operations = st.sampled_from(
    ["CREDIT_ADD", "CREDIT_SPEND", "DAILY_REWARD", "SIGNUP_CREDIT", "GIFT"]
)
operation = st.fixed_dictionaries(
    {"owner_id": owners, "operation": operations, "nonce": nonces, "metadata": notes}
)
transfer = st.fixed_dictionaries(
    {
        "from": owners,
        "to": owners,
        "amount": st.integers(1, 12),
        "nonce": nonces,
        "metadata": notes,
    }
)
reversal = st.fixed_dictionaries(
    {
        "of": st.tuples(st.sampled_from(PRINCIPALS), nonces),
        "nonce": nonces,
        "reason": st.sampled_from(["a slip", "a fraud"]),
    }
)
batch = st.fixed_dictionaries(
    {"entries": st.lists(operation | transfer, max_size=5), "atomic": st.booleans()}
)
payloads = st.one_of(
    st.tuples(st.just(POST_OPERATION), operation),
    st.tuples(st.just(POST_TRANSFER), transfer),
    st.tuples(st.just(POST_BATCH), batch),
    st.tuples(st.just(REVERSE_TRANSFER), reversal),
)
claims = st.builds(
    lambda payload, principal, moment: make_claim(
        *payload, principal=principal, submitted_at=moment
    ),
    payloads,
    st.sampled_from(PRINCIPALS),
    st.sampled_from(MOMENTS),
)


@settings(max_examples=40)
@given(data=st.data(), sequence=st.lists(claims, max_size=25), twice=st.booleans())
def test_the_books_are_those_of_one_write_after_another(engine, data, sequence, twice):
    sequence = sequence * (1 + twice)
    model = Books()
    wanted = [model.answer(claim) for claim in sequence]
    lane = make_lane()
    with databases.rolled_back(engine) as session:
        before = standing(session)
        answers = []
        for part in split(data, sequence):
            answers += apply(session, part, lane=lane)
        after = standing(session)

        assert answers == wanted
        assert after == before | {
            owner: moved(before.get(owner), model.accounts.get(owner))
            for owner in [*OWNERS, *SYSTEM]
        } | {"transfers": before["transfers"] + len(model.transfers)}
        assert faults(session) == []


def split(data, sequence):
    """Yield the sequence in batches of any size."""
    start = 0
    while start < len(sequence):
        count = data.draw(st.integers(1, len(sequence) - start), label="batch")
        # A reversal's id is known once it is done: none is undone in its own batch.
        kinds = [claim.kind for claim in sequence[start : start + count]]
        if kinds.count(REVERSE_TRANSFER) > 1:
            second = kinds.index(REVERSE_TRANSFER, kinds.index(REVERSE_TRANSFER) + 1)
            count = second
        yield sequence[start : start + count]
        start += count


def apply(session, part, *, lane):
    """Apply a batch as the worker does, run by run of one handler."""
    for undo, run in groupby(part, key=lambda claim: claim.kind == REVERSE_TRANSFER):
        handler = writes.reverse if undo else writes.apply
        real = [with_id(claim) if undo else claim for claim in run]
        for claim, outcome in zip(
            real, handler(session, real, lane=lane, now=NOW), strict=True
        ):
            yield list(said(claim, outcome))


def with_id(claim):
    payload = dict(claim.payload)
    principal, nonce = payload.pop("of")
    payload["transfer_id"] = str(transfer_id("commons", principal, nonce))
    return claim._replace(payload=payload)


def said(claim, outcome):
    """Yield an outcome in the model's words."""
    if claim.kind == POST_BATCH and outcome.refusal:
        yield from map(refused, outcome.refusal.fields["errors"])
    elif claim.kind == POST_BATCH:
        for entry in outcome.result["outcomes"]:
            if entry["state"] == "refused":
                yield refused(entry["problem"])
            else:
                yield ("applied", entry["balance"])
    elif outcome.refusal:
        yield refused(outcome.refusal.problem())
    else:
        yield ("applied", outcome.result["balance"])


def refused(problem):
    amounts = [problem[name] for name in ("available", "needed") if name in problem]
    return ("refused", problem["code"], *amounts)


def standing(session):
    """Return balances and versions by owner, and how many transfers there are."""
    trial = trial_balance(session, application="commons")
    assert trial.sum == 0
    found = {"transfers": trial.transfers}
    for owner in [*OWNERS, *SYSTEM]:
        account = balance(session, application="commons", owner=owner)
        found[owner] = (account.balance, account.version)
    return found


def moved(before, change):
    return tuple(map(sum, zip(before, change or (0, 0), strict=True)))
