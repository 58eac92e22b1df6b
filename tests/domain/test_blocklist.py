"""Blocks: for whom, for how long, and on record for good."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
import sqlalchemy as sa

from domain import blocklist
from domain.blocklist import BlocklistFull, BlockTooLong, NoSuchBlock
from domain.ids import uuid7
from domain.networks import (
    NetworkTooWide,
    NoSuchNetwork,
    host_network,
    lies_in,
    read_network,
)
from tests.factories import NOW

ALICE = ip_network("198.51.100.7/32")


def add(session, whom=ALICE, **fields):
    given = {"reason": "spam", "actor": uuid7(), "seconds": 60, "now": NOW, **fields}
    return blocklist.add(session, whom=whom, **given)


def standing(session, *, now=NOW, **options):
    found = blocklist.page(
        session, standing=True, start=None, limit=100, now=now, **options
    )
    return [row.id for row in found.items]


def test_a_block_stands_until_it_ends(session):
    block = add(session)

    assert standing(session, now=NOW + timedelta(seconds=59)) == [block.id]
    assert standing(session, now=NOW + timedelta(seconds=60)) == []


def test_a_block_that_was_lifted_stands_no_longer_and_stays_on_record(session):
    actor, block = uuid7(), add(session)

    blocklist.lift(session, block.id, actor=actor, now=NOW)

    session.expire_all()
    found = blocklist.find(session, block.id)
    assert standing(session) == []
    assert (found.lifted_at, found.lifted_by, found.reason) == (NOW, actor, "spam")


def test_lifting_again_changes_nothing(session):
    block, first = add(session), uuid7()
    blocklist.lift(session, block.id, actor=first, now=NOW)

    blocklist.lift(session, block.id, actor=uuid7(), now=NOW + timedelta(seconds=1))

    session.expire_all()
    assert blocklist.find(session, block.id).lifted_by == first


def test_all_can_be_lifted_at_once(session):
    for _ in range(3):
        add(session)
    add(session, uuid7())

    assert blocklist.lift_all(session, actor=uuid7(), now=NOW) == 4
    assert standing(session) == []


def test_an_unknown_block_is_not_found(session):
    with pytest.raises(NoSuchBlock):
        blocklist.lift(session, uuid7(), actor=uuid7(), now=NOW)


@pytest.mark.parametrize("seconds", [0, -1, blocklist.SECONDS_MAX + 1])
def test_a_block_lasts_a_while_and_never_for_ever(session, seconds):
    with pytest.raises(BlockTooLong):
        add(session, seconds=seconds)


def test_the_list_has_an_end(session, monkeypatch):
    monkeypatch.setattr(blocklist, "BLOCKS_MAX", 2)
    first = add(session)
    add(session)
    with pytest.raises(BlocklistFull):
        add(session)

    blocklist.lift(session, first.id, actor=uuid7(), now=NOW)

    assert add(session)


def test_what_processes_are_told_is_what_has_not_ended(session):
    lifted = add(session)
    add(session, uuid7(), seconds=30)
    blocklist.lift(session, lifted.id, actor=uuid7(), now=NOW)

    def told(seconds):
        rows = blocklist.unexpired(session, now=NOW + timedelta(seconds=seconds))
        return [(row.network, row.lifted_at is not None) for row in rows]

    assert told(0) == [(None, False), (str(ALICE), True)]
    assert told(30) == [(str(ALICE), True)]
    assert told(60) == []


def test_a_page_leads_to_the_next(session):
    made = [add(session).id for _ in range(5)]
    first = blocklist.page(session, standing=True, start=None, limit=3, now=NOW)
    second = blocklist.page(session, standing=True, start=first.next, limit=3, now=NOW)

    assert [row.id for row in [*first.items, *second.items]] == made[::-1]


def test_the_application_cannot_rewrite_an_entry(session):
    block = add(session)

    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        session.execute(
            sa.text("UPDATE blocks SET reason = 'x' WHERE id = :id"), {"id": block.id}
        )


def test_the_application_cannot_delete_an_entry(session):
    add(session)

    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        session.execute(sa.text("DELETE FROM blocks"))


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("198.51.100.7", "198.51.100.7/32"),
        ("198.51.0.0/16", "198.51.0.0/16"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::1/128", "2001:db8::/64"),
        ("2001:db8::/48", "2001:db8::/48"),
        ("::ffff:198.51.100.7", "198.51.100.7/32"),
    ],
)
def test_what_is_blocked_is_what_counts_as_one(text, network):
    assert str(read_network(text)) == network


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/24", "::g"])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(NoSuchNetwork):
        read_network(text)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "10.0.0.0/8", "::/0", "2001::/16"])
def test_a_network_that_is_too_wide_is_refused(text):
    with pytest.raises(NetworkTooWide):
        read_network(text)


def test_a_network_of_one_version_is_in_none_of_the_other():
    four, six = host_network("10.0.0.1"), host_network("::1")

    assert lies_in(four, ip_network("10.0.0.0/16"))
    assert not lies_in(four, ip_network("::/32"))
    assert not lies_in(six, ip_network("10.0.0.0/16"))
