"""Everyone who may call, and something of theirs for every part of a path.

A new part of a path needs a line in THINGS; a write that is looked at before it is
known whose it is about, one in BODIES.
"""

import itertools
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import sqlalchemy as sa

from api.assets import path_of as path_of_asset
from api.permissions import SCOPES_OF_ROLE
from domain import blocklist, content, jobs, logins, roles, users, wallets, webhooks
from domain.bounties.record import Bounty
from domain.councils import recalls
from domain.councils.record import CouncilMember
from domain.governance import delegations
from domain.ids import uuid7
from domain.jobs import Viewer
from domain.keys import SCOPES
from domain.roles import ROLES
from tests import elections
from tests.api.calling import Caller, make_nonce
from tests.api.people import make_person
from tests.bounties import claim, make_bounty
from tests.elections import make_council, make_member
from tests.factories import (
    make_claim,
    make_job,
    make_key,
    make_lane,
    make_operation,
    make_origin,
    make_owner,
    make_user,
    post_one,
)
from tests.proposals import make_draft

_numbers = itertools.count()


class Party(NamedTuple):
    """Somebody who calls, or whom things belong to."""

    name: str
    caller: Caller | None
    application: str = "commons"
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    principal: UUID | None = None
    # Of a person their own; a key has some person's, which it never reaches.
    user_id: UUID | None = None

    @property
    def kind(self):
        if self.principal is None:
            return "nobody"
        return "person" if self.roles else "key"


class World:
    """Makes callers, and things for them."""

    def __init__(self, app, sessions):
        self.app = app
        self.sessions = sessions

    def nobody(self):
        return Party("nobody", Caller(self.app), user_id=self._user())

    def key(self, name, *scopes, application="commons"):
        now = datetime.now(UTC)
        with self.sessions.begin() as session:
            key, text = make_key(
                session, scopes=scopes, application=application, now=now
            )
        return Party(
            name=name,
            caller=Caller(self.app, text),
            application=application,
            scopes=frozenset(scopes),
            principal=key.principal,
            user_id=self._user(),
        )

    def person(self, role):
        held = {"member", role}
        made = make_person(self.app, self.sessions, *held - {"member"})
        return Party(
            name=role,
            caller=made,
            scopes=frozenset().union(*(SCOPES_OF_ROLE[one] for one in held)),
            roles=frozenset(held),
            principal=made.user.id,
            user_id=made.user.id,
        )

    def others(self, party):
        """Return whose things are none of this party's; they do not call."""
        another = {"commons": "content", "content": "commons"}
        user_id = self._user()
        silent = party._replace(caller=None, user_id=user_id)
        if party.kind == "person":
            return silent._replace(principal=user_id)
        application = another[party.application]
        return silent._replace(principal=uuid7(), application=application)

    def keys(self):
        yield self.nobody()
        yield self.key("a key without a scope")
        yield self.key("a key of another application", *SCOPES, application="content")
        yield from (self.key(f"a key for {scope}", scope) for scope in SCOPES)
        yield self.key("a key with every scope", *SCOPES)

    def people(self):
        return [self.person(role) for role in ("member", *ROLES)]

    def make(self, thing, party):
        """Return the id of a new thing of a party's."""
        with self.sessions.begin() as session:
            return str(thing.make(session, party))

    def _user(self):
        with self.sessions.begin() as session:
            return make_user(session).id


class WorldOfOne(World):
    """Where there is nothing of others: their ids are made up."""

    def make(self, thing, party):
        invented = party.caller is None and thing.not_for
        return str(uuid4()) if invented else super().make(thing, party)


def _owner(_session, party):
    return party.user_id if party.kind == "person" else make_owner()


def _job(session, party):
    """Return one that has ended, so that nobody waits for it."""
    job = make_job(application=party.application, principal=party.principal or uuid7())
    jobs.submit(session, [job])
    seen_by = Viewer(job.application, job.principal, operator=False)
    return jobs.cancel(session, job.id, seen_by, now=datetime.now(UTC)).id


def _transfer(session, party):
    origin = make_origin(application=party.application)
    posting = make_operation(origin, owner=str(_owner(session, party)))
    return post_one(session, posting, now=datetime.now(UTC)).transfer.id


def _content(session, _party):
    """Return one of the only application that has any."""
    payload = {"owner_id": make_owner(), "nonce": make_nonce()}
    origin = make_origin(application="content", lane=make_lane())
    funds = make_operation(origin, owner=payload["owner_id"])
    post_one(session, funds, now=datetime.now(UTC))
    claim = make_claim(content.CREATE_CONTENT, payload, application="content")
    now = datetime.now(UTC)
    (made,) = content.create(session, [claim], lane=origin.lane, now=now)
    return made.result["content"]["id"]


def _key(session, party):
    return make_key(session, application=party.application)[0].id


def _webhooks(session, party):
    found = webhooks.page(session, application=party.application, start=None, limit=50)
    return [row.Endpoint for row in found.items]


def _webhook(session, party):
    """Return one in the place of those before it: an application has so many."""
    now = datetime.now(UTC)
    for endpoint in _webhooks(session, party):
        webhooks.remove(endpoint, now=now)
    return webhooks.create(
        session,
        application=party.application,
        url="https://example.org/hook",
        events=["job.failed"],
        description="",
        now=now,
    ).id


def _delivery(session, party):
    """Return one of the webhook that stands before it in the path."""
    now = datetime.now(UTC)
    endpoint, *_ = _webhooks(session, party)
    return webhooks.ping(session, endpoint, request_id=None, trace=None, now=now).id


def _login(session, party):
    now = datetime.now(UTC)
    return logins.start(session, party.user_id, device=None, now=now).login.id


def _wallet(session, party):
    named = {"network": "test", "address": uuid4().hex}
    now = datetime.now(UTC)
    return wallets.create(session, user_id=party.user_id, **named, now=now).id


def _role(session, party):
    now = datetime.now(UTC)
    made = roles.grant(
        session, party.user_id, "council", by=None, ends_at=None, now=now
    )
    return made.role


def _block(session, _party):
    return blocklist.add(
        session,
        whom=ip_network(f"2001:db8:{next(_numbers):x}::/64"),
        reason="for a test",
        actor=None,
        seconds=1,
        now=datetime.now(UTC),
    ).id


def _proposal(session, party):
    """Return a draft, which anybody may look at."""
    return make_draft(session, author=party.user_id, now=datetime.now(UTC)).row.id


def _delegation(session, party):
    return delegations.create(
        session,
        party.user_id,
        make_user(session).id,
        topic=None,
        until=None,
        now=datetime.now(UTC),
    ).id


def _council(session, party):
    """Return one that the party sits in, so that they may do what members may."""
    council = make_council(session)
    make_member(session, council, users.get(session, party.user_id))
    return council.id


def _seat(session, party):
    """Return theirs in the council that stands before it in the path."""
    own = sa.select(CouncilMember).where(CouncilMember.user_id == party.user_id)
    return session.scalars(own.order_by(CouncilMember.id.desc())).first()


def _election(session, party):
    now = datetime.now(UTC)
    case = elections.call(session, make_council(session), now=now)
    person = {"": users.get(session, party.user_id)}
    elections.nominate(session, case, person, {}, now=now)
    return case.row.id


def _recall(session, party):
    return recalls.call(
        session,
        _seat(session, party).council_id,
        caller=make_user(session).id,
        member_id=None,
        reason="Nobody has seen them since spring.",
        now=datetime.now(UTC),
    ).id


def _bounty(session, party):
    return make_bounty(session, party.user_id, now=datetime.now(UTC))


def _claimant(session, party):
    """Return who claims the bounty that stands before it in the path."""
    own = sa.select(Bounty.id).where(Bounty.creator == party.user_id)
    bounty_id = session.scalars(own.order_by(Bounty.id.desc())).first()
    return claim(session, bounty_id, now=datetime.now(UTC))


class Thing(NamedTuple):
    """How one is made for a party, and for whom another's is none of theirs."""

    make: Callable[..., Any]
    not_for: frozenset[str] = frozenset()


_ASSET = "help.css"
PEOPLES = frozenset({"person"})
APPLICATIONS = frozenset({"key"})

THINGS = {
    "user_id": Thing(lambda _session, party: party.user_id, PEOPLES),
    "owner_id": Thing(_owner, PEOPLES),
    "login_id": Thing(_login, PEOPLES),
    "wallet_id": Thing(_wallet, PEOPLES),
    "job_id": Thing(_job, PEOPLES | APPLICATIONS),
    "transfer_id": Thing(_transfer, PEOPLES | APPLICATIONS),
    "key_id": Thing(_key, APPLICATIONS),
    "webhook_id": Thing(_webhook, APPLICATIONS),
    "delivery_id": Thing(_delivery),
    "content_id": Thing(_content),
    "block_id": Thing(_block),
    "proposal_id": Thing(_proposal),
    "delegation_id": Thing(_delegation, PEOPLES),
    "role": Thing(_role),
    "type_name": Thing(lambda *_: "simple_majority"),
    "council_id": Thing(_council),
    "seat_id": Thing(lambda *given: _seat(*given).id),
    "election_id": Thing(_election),
    "recall_id": Thing(_recall),
    "bounty_id": Thing(_bounty),
    "claimant_id": Thing(_claimant),
    "name": Thing(lambda *_: "somebody"),
    "code": Thing(lambda *_: "not_found"),
    "digest": Thing(lambda *_: path_of_asset(_ASSET).split("/")[2]),
    "file": Thing(lambda *_: _ASSET),
}

_PROPOSAL = "/api/governance/proposals/{proposal_id:uuid}"
_WALLET = "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}"
BODIES = {
    "/ledger/transfers/{transfer_id:uuid}/reversal": lambda: {
        "nonce": make_nonce(),
        "reason": "for a test",
    },
    "/api/users/{user_id:uuid}": lambda: {"bio": "Plants trees."},
    "/api/users/{user_id:uuid}/roles": lambda: {"role": "council"},
    "/api/users/{user_id:uuid}/wallets": lambda: {
        "network": "test",
        "address": uuid4().hex,
    },
    "/api/users/{user_id:uuid}/signatures": lambda: {"signatures_required": False},
    f"{_PROPOSAL}/counts": lambda: {"method": "irv"},
    _WALLET: lambda: {"label": "mine"},
    "/api/webhooks/{webhook_id:uuid}": lambda: {"enabled": True},
    "/api/webhooks/{webhook_id:uuid}/replay": lambda: {"since": "2026-11-20T21:50Z"},
    f"{_WALLET}/proof": lambda: {
        "challenge": "nobody's",
        "signature": b64encode(bytes(64)).decode(),
    },
}

_PART = re.compile(r"\{(\w+)(?::\w+)?\}")


def parts(route):
    """Return the names of the parts of a path that a caller fills in."""
    return _PART.findall(route)


def choices(route, party):
    """Return every way to choose whose things to name; the last is all one's own."""
    owned = [name for name in parts(route) if party.kind in THINGS[name].not_for]
    ways = itertools.product([True, False], repeat=len(owned))
    return [
        {name for name, other in zip(owned, way, strict=True) if other} for way in ways
    ]


def path_of(world, party, route, foreign=frozenset()):
    """Fill in a path: with things of another's where named, else with one's own."""
    others = world.others(party) if foreign else party
    path, whose = route, party
    for name in parts(route):
        thing = THINGS[name]
        # What is nobody's own goes with the part before it.
        whose = others if name in foreign else party if thing.not_for else whose
        path = _PART.sub(world.make(thing, whose), path, count=1)
    return path


def ask(world, party, method, route, foreign):
    """Send a good request for a party's own things, these of another."""
    path = path_of(world, party, route, foreign)
    headers = {"If-Match": "*", "Prefer": "wait=20"}
    if method in {"GET", "HEAD", "DELETE"}:
        return party.caller.send(method, path, headers=headers)
    body = BODIES.get(route, dict)()
    return party.caller.send(method, path, headers=headers, json=body)
