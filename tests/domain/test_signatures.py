"""Demands of signatures, and signatures that were used."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
import sqlalchemy as sa

from domain import signatures
from domain.signatures import SignatureUsed, UsedSignature
from tests.factories import NOW, make_user

LATER = NOW + timedelta(minutes=10)
THREADS = 4


def use(session, digest, *, principal, again=True, now=NOW):
    signatures.use(
        session, digest, principal=principal, again=again, kept_until=LATER, now=now
    )


def test_who_demands_signatures_is_among_those_who_do(session):
    one, other = make_user(session).id, make_user(session).id

    assert signatures.demand(session, one, now=NOW)
    signatures.demand(session, other, now=NOW)
    assert {str(one), str(other)} <= signatures.demanding(session)
    assert signatures.lift(session, one)
    assert str(one) not in signatures.demanding(session)
    assert not signatures.lift(session, one)


def test_the_same_principal_may_bring_a_signature_again(session):
    digest, principal = secrets.token_bytes(32), uuid4()

    for _ in range(3):
        use(session, digest, principal=principal)


def test_nobody_else_may_bring_it(session):
    digest = secrets.token_bytes(32)
    use(session, digest, principal=uuid4())

    with pytest.raises(SignatureUsed):
        use(session, digest, principal=uuid4())


def test_a_signature_for_once_is_not_brought_again(session):
    digest, principal = secrets.token_bytes(32), uuid4()
    use(session, digest, principal=principal, again=False)

    with pytest.raises(SignatureUsed):
        use(session, digest, principal=principal, again=False)


def test_of_many_who_bring_a_signature_at_once_one_is_let_in(sessions):
    digest, ready = secrets.token_bytes(32), Barrier(THREADS)

    def bring(principal):
        try:
            with sessions.begin() as session:
                ready.wait(10)
                use(session, digest, principal=principal)
        except SignatureUsed:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        let_in = list(pool.map(bring, [uuid4() for _ in range(THREADS)]))

    assert let_in.count(True) == 1


def test_signatures_whose_time_is_past_are_forgotten(session):
    digest, principal = secrets.token_bytes(32), uuid4()
    use(session, digest, principal=principal)
    use(session, secrets.token_bytes(32), principal=principal, now=LATER)
    assert session.scalar(known := sa.select(UsedSignature.digest))

    use(
        session,
        secrets.token_bytes(32),
        principal=principal,
        now=LATER + timedelta(seconds=1),
    )

    assert digest not in session.scalars(known).all()
