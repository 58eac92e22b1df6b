"""Sees to it that what people demand to sign is signed by them, in time, and once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api import ed25519, message_signatures
from api.demands import Demands
from api.errors import Problem
from api.message_signatures import invalid
from api.permissions import principal_of
from domain import signatures, wallets

SKEW_SECONDS: Final = 300
# What they may answer who demand signatures, for those who describe a route.
REFUSES_UNSIGNED: Final = (
    *("signature_required", "invalid_signature", "stale_signature", "signature_used"),
)
# The same where everybody signs, and so needs a wallet to do it with.
REFUSES_UNPROVED: Final = (*REFUSES_UNSIGNED, "no_proved_wallet")
# Longer than it could be brought again: signed ahead of time, by a slow clock of ours.
_KEPT: Final = timedelta(seconds=3 * SKEW_SECONDS)


class Signatures:
    """Looks at the signature of a request where somebody demands one."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._demands = Demands(sessions)

    def require(self, req: falcon.Request, debited: Iterable[str]) -> None:
        """Answer 403 unless who is debited has signed it, where they demand to.

        The same principal may bring it again: as a write, it counts once.
        """
        demanding = self._demands.among(debited)
        if not demanding:
            return
        if len(demanding) > 1:
            raise _required(
                req, "Several of these accounts demand signatures; send a batch each."
            )
        (owner,) = demanding
        with self._sessions.begin() as session:
            _check(req, session, UUID(owner), again=True)

    def require_once(
        self, req: falcon.Request, session: Session, user_id: UUID
    ) -> None:
        """Answer 403 unless a person who demands signatures has signed this change."""
        if signatures.demand_of(session, user_id) is not None:
            _check(req, session, user_id, again=False)

    def require_proved(
        self, req: falcon.Request, session: Session, user_id: UUID
    ) -> None:
        """Answer 403 unless a person has signed this, 409 to who has no wallet to."""
        if not wallets.has_proved(session, user_id):
            raise wallets.NoProvedWallet("This is signed: prove a wallet's key first.")
        _check(req, session, user_id, again=False)

    def changed(self) -> None:
        """Look at once whose signatures are demanded now."""
        self._demands.expire()


def _check(
    req: falcon.Request, session: Session, user_id: UUID, *, again: bool
) -> None:
    """Answer 403 unless the request is signed by a wallet of the person."""
    now = datetime.now(UTC)
    principal = principal_of(req)
    signed = message_signatures.read(req, req.context.body)
    if signed is None:
        raise _required(req, "This takes the signature of the account's holder.")
    if signed.tag != principal.application:
        invalid(f'This acts in {principal.application}: sign with it as "tag".')
    _require_timely(signed.created, now)
    key = wallets.signing_key(session, signed.wallet_id, user_id=user_id)
    if key is None:
        invalid("keyid names no proved wallet of the account's holder.")
    if not ed25519.verify(key, signed.signature, signed.base):
        invalid("The signature is not of this request, or not by this wallet's key.")
    signatures.use(
        session,
        sha256(signed.base).digest(),
        principal=principal.id,
        again=again,
        kept_until=now + _KEPT,
        now=now,
    )


def _require_timely(created: int, now: datetime) -> None:
    clock = int(now.timestamp())
    if abs(clock - created) > SKEW_SECONDS:
        raise Problem(
            403,
            "stale_signature",
            f"Signed {abs(clock - created)} seconds from now; {SKEW_SECONDS} are let "
            "pass. Sign again, by a clock that is right.",
            clock=clock,
        )


def _required(req: falcon.Request, detail: str) -> Problem:
    asked = message_signatures.demanded(principal_of(req).application)
    return Problem(
        403, "signature_required", detail, headers={"Accept-Signature": asked}
    )
