"""Wallets of people: one is primary while there are any; a key is proved once asked."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from threading import Barrier
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from domain import signatures, wallets
from domain.wallets import (
    LastProvedWallet,
    NoChallenge,
    NoProvedWallet,
    NoSuchWallet,
    TooManyWallets,
    WalletExists,
    WalletWithoutKey,
)
from tests.factories import NOW, make_user

KEY = bytes(32)
SECOND = timedelta(seconds=1)
THREADS = 4

_numbers = count(1)


def make_wallet(session, user_id, **fields):
    return wallets.create(
        session,
        **{
            "user_id": user_id,
            "network": "test",
            "address": f"address-{next(_numbers)}",
            "public_key": KEY,
            "now": NOW,
            **fields,
        },
    )


def prove(session, wallet):
    text = wallets.challenge(session, wallet, now=NOW)
    wallets.to_prove(wallet, text, now=NOW)
    wallets.prove(session, wallet, now=NOW)


def new_user(sessions):
    with sessions.begin() as session:
        return make_user(session).id


def kept(session, user_id):
    page = wallets.page(session, user_id=user_id, limit=100)
    return [row.Wallet for row in page.items]


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "add!", "choose", "remove"]), st.integers(0))
    ),
)
def test_one_wallet_is_primary_while_there_are_any(session, deeds):
    """Against a model: the list of wallets, and which of them is primary."""
    user_id, model, primary = make_user(session).id, [], None
    for deed, number in deeds:
        chosen = model[number % len(model)] if model else None
        if deed.startswith("add"):
            if len(model) == wallets.WALLETS_MAX:
                continue
            new = make_wallet(session, user_id, primary=deed == "add!")
            model.append(new)
            if primary is None or deed == "add!":
                primary = new
        elif chosen is None:
            continue
        elif deed == "choose":
            wallets.make_primary(session, chosen)
            primary = chosen
        else:
            wallets.remove(session, chosen, now=NOW)
            model.remove(chosen)
            if primary is chosen:
                primary = model[0] if model else None

        assert [w.is_primary for w in model] == [w is primary for w in model]
        assert {w.id for w in kept(session, user_id)} == {w.id for w in model}


def test_of_first_wallets_made_at_once_one_is_primary(sessions):
    user_id, ready = new_user(sessions), Barrier(THREADS)

    def make():
        with sessions.begin() as session:
            ready.wait(10)
            make_wallet(session, user_id)

    with ThreadPoolExecutor(THREADS) as pool:
        for made in [pool.submit(make) for _ in range(THREADS)]:
            made.result()

    with sessions() as session:
        found = kept(session, user_id)
    assert len(found) == THREADS
    assert sum(wallet.is_primary for wallet in found) == 1


def test_wallets_chosen_at_once_end_with_one_primary(sessions):
    user_id, ready = new_user(sessions), Barrier(THREADS)
    with sessions.begin() as session:
        ids = [make_wallet(session, user_id).id for _ in range(THREADS)]

    def choose(wallet_id):
        with sessions.begin() as session:
            ready.wait(10)
            wallet = wallets.find_to_change(session, wallet_id, user_id=user_id)
            wallets.make_primary(session, wallet)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(choose, ids))

    with sessions() as session:
        assert sum(wallet.is_primary for wallet in kept(session, user_id)) == 1


def test_two_primary_wallets_cannot_be_stored(session):
    user_id = make_user(session).id
    for _ in range(2):
        make_wallet(session, user_id)

    both = sa.update(wallets.Wallet).where(wallets.Wallet.user_id == user_id)
    with pytest.raises(IntegrityError, match="wallets_primary"), session.begin_nested():
        session.execute(both.values(is_primary=True))


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"removed_at": NOW, "is_primary": True}, "primary_not_removed"),
        ({"proved_at": NOW}, "proved_with_key"),
    ],
    ids=repr,
)
def test_a_wallet_that_cannot_be_is_refused(session, values, constraint):
    wallet = make_wallet(session, make_user(session).id, public_key=None)

    change = sa.update(wallets.Wallet).where(wallets.Wallet.id == wallet.id)
    with pytest.raises(IntegrityError, match=constraint), session.begin_nested():
        session.execute(change.values(**values))


def test_a_key_has_32_bytes(session):
    with pytest.raises(IntegrityError, match="ed25519_key"), session.begin_nested():
        make_wallet(session, make_user(session).id, public_key=b"short")


def test_an_address_is_added_once_until_it_is_removed(session):
    user_id = make_user(session).id
    wallet = make_wallet(session, user_id, address="same")
    make_wallet(session, user_id, address="same", network="other")
    make_wallet(session, make_user(session).id, address="same")

    with pytest.raises(WalletExists):
        make_wallet(session, user_id, address="same")
    wallets.remove(session, wallet, now=NOW)
    make_wallet(session, user_id, address="same")


def test_a_person_has_a_bounded_number_of_wallets(session):
    user_id = make_user(session).id
    for _ in range(wallets.WALLETS_MAX):
        make_wallet(session, user_id)

    with pytest.raises(TooManyWallets):
        make_wallet(session, user_id)


def test_a_wallet_of_another_is_not_found(session):
    wallet = make_wallet(session, make_user(session).id)

    for find in (wallets.find, wallets.find_to_change):
        with pytest.raises(NoSuchWallet):
            find(session, wallet.id, user_id=uuid4())


def test_a_removed_wallet_is_not_found_and_its_row_is_kept(session):
    user_id = make_user(session).id
    wallet = make_wallet(session, user_id)
    wallets.remove(session, wallet, now=NOW)

    with pytest.raises(NoSuchWallet):
        wallets.find(session, wallet.id, user_id=user_id)
    assert session.get(wallets.Wallet, wallet.id).removed_at == NOW


# Proofs


@pytest.fixture
def wallet(session):
    return make_wallet(session, make_user(session).id)


def test_a_challenge_is_good_until_its_time_and_no_longer(session, wallet):
    text = wallets.challenge(session, wallet, now=NOW)
    end = NOW + wallets.CHALLENGE_LIFETIME

    assert wallets.to_prove(wallet, text, now=end - SECOND)
    with pytest.raises(NoChallenge):
        wallets.to_prove(wallet, text, now=end)


def test_a_challenge_is_good_once(session, wallet):
    text = wallets.challenge(session, wallet, now=NOW)
    wallets.prove(session, wallet, now=NOW)

    with pytest.raises(NoChallenge):
        wallets.to_prove(wallet, text, now=NOW)


def test_only_the_newest_challenge_is_good(session, wallet):
    old, new = (wallets.challenge(session, wallet, now=NOW) for _ in range(2))

    assert old != new
    assert wallets.to_prove(wallet, new, now=NOW)
    with pytest.raises(NoChallenge):
        wallets.to_prove(wallet, old, now=NOW)


def test_a_challenge_is_stored_as_a_digest(session, wallet):
    text = wallets.challenge(session, wallet, now=NOW)
    stored = session.scalar(
        sa.text("SELECT wallets::text FROM wallets WHERE id = :id"), {"id": wallet.id}
    )

    assert text not in stored
    assert text.encode().hex() not in stored


def test_a_wallet_without_a_key_has_nothing_to_prove(session):
    wallet = make_wallet(session, make_user(session).id, public_key=None)

    with pytest.raises(WalletWithoutKey):
        wallets.challenge(session, wallet, now=NOW)


def test_messages_to_prove_differ_by_person_wallet_and_challenge(session, wallet):
    other = make_wallet(session, wallet.user_id)
    messages = {
        wallets.proof_message(one, text) for one in (wallet, other) for text in "ab"
    }

    assert len(messages) == 4
    assert wallets.proof_message(wallet, "a").split(b"\n") == [
        b"peoples-coin wallet proof v1",
        str(wallet.user_id).encode(),
        str(wallet.id).encode(),
        b"a",
    ]


def test_only_the_key_of_a_proved_wallet_signs(session, wallet):
    def key(user_id=wallet.user_id):
        return wallets.signing_key(session, wallet.id, user_id=user_id)

    before = key()
    prove(session, wallet)
    proved, of_another = key(), key(make_user(session).id)
    wallets.remove(session, wallet, now=NOW)

    assert (before, proved, of_another, key()) == (None, KEY, None, None)


# Demands


def test_signatures_are_demanded_of_those_alone_who_can_sign(session, wallet):
    with pytest.raises(NoProvedWallet):
        wallets.demand_signatures(session, wallet.user_id, now=NOW)

    prove(session, wallet)

    assert wallets.demand_signatures(session, wallet.user_id, now=NOW)
    assert not wallets.demand_signatures(session, wallet.user_id, now=NOW + SECOND)
    assert signatures.demand_of(session, wallet.user_id).since == NOW


def test_the_last_wallet_that_signs_stays_while_signatures_are_demanded(
    session, wallet
):
    prove(session, wallet)
    make_wallet(session, wallet.user_id)
    wallets.demand_signatures(session, wallet.user_id, now=NOW)

    with pytest.raises(LastProvedWallet):
        wallets.remove(session, wallet, now=NOW)

    other = make_wallet(session, wallet.user_id)
    prove(session, other)
    wallets.remove(session, wallet, now=NOW)
    with pytest.raises(LastProvedWallet):
        wallets.remove(session, other, now=NOW)
    signatures.lift(session, wallet.user_id)
    wallets.remove(session, other, now=NOW)
