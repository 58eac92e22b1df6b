"""The blocklist as a process knows it: read now and then, asked by every request."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from domain import audit_events, blocklist
from domain.audit_events import Action
from domain.errors import DomainError
from domain.networks import Network, lies_in

_log = structlog.get_logger()

# A block made elsewhere counts here no later than the second of these.
_LOOK_SECONDS: Final = 2.0
_STALE_SECONDS: Final = 4.0
_REMEMBERED: Final = 10_000


class Standing(NamedTuple):
    """A block that stands until then, in seconds since 1970."""

    until: float
    automatic: bool


class _Networks:
    """Blocked networks; which of them an address lies in is found once."""

    def __init__(self, blocks: Sequence[tuple[Network, Standing]] = ()) -> None:
        self._blocks = blocks
        self._found: dict[str, Standing | None] = {}

    def find(self, address: str, now: float) -> Standing | None:
        if not self._blocks:
            return None
        if address not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[address] = self._search(address)
        return _if_standing(self._found[address], now)

    def _search(self, address: str) -> Standing | None:
        """Return the block that counts most: an operator's, then the longest."""
        try:
            network = ip_network(address)
        except ValueError:
            return None
        found = [one for other, one in self._blocks if lies_in(network, other)]
        return max(found, key=lambda one: (not one.automatic, one.until), default=None)


class _Known(NamedTuple):
    """The list as it was read."""

    networks: _Networks
    principals: dict[UUID, Standing]
    # Of automatic blocks, those an operator has lifted before their time.
    lifted: _Networks


class Blocklist:
    """Knows who is blocked."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._looking = threading.Lock()
        self._began = self._ended = -_STALE_SECONDS
        self._known = _Known(_Networks(), {}, _Networks())

    def of_address(self, address: str, *, now: float) -> Standing | None:
        """Return the block of an address, written as it counts."""
        self._refresh()
        return self._known.networks.find(address, now)

    def of_principal(self, principal: UUID, *, now: float) -> Standing | None:
        """Return the block of a principal."""
        if not self._known.principals:
            return None
        return _if_standing(self._known.principals.get(principal), now)

    def spares(self, address: str, *, now: float) -> bool:
        """Say whether an operator has lifted an automatic block of this address."""
        return self._known.lifted.find(address, now) is not None

    def block(self, address: str, *, seconds: int, reason: str) -> None:
        """Block an address without anybody's asking for it."""
        now = datetime.now(UTC)
        try:
            with self._sessions.begin() as session:
                block = blocklist.add(
                    session,
                    whom=ip_network(address),
                    reason=reason,
                    actor=None,
                    seconds=seconds,
                    now=now,
                )
                audit_events.record(
                    session,
                    action=Action.BLOCK_ADDED,
                    actor=None,
                    subject=f"block:{block.id}",
                    details={"expires_at": block.expires_at.isoformat()},
                    request_id=None,
                    now=now,
                )
        except (ValueError, DomainError, SQLAlchemyError) as error:
            _log.warning("not_blocked", address=address, error=repr(error))
        else:
            _log.warning("blocked", address=address, reason=reason)
            self.changed()

    def changed(self) -> None:
        """Read the list anew before the next request is judged."""
        self._began = self._ended = time.monotonic() - _STALE_SECONDS

    def _refresh(self) -> None:
        """Read the list when it is due: one request does, others go on meanwhile."""
        now = time.monotonic()
        if now < self._began + _LOOK_SECONDS:
            return
        if not self._looking.acquire(blocking=now >= self._ended + _STALE_SECONDS):
            return
        try:
            if time.monotonic() >= self._began + _LOOK_SECONDS:
                self._look()
        finally:
            self._looking.release()

    def _look(self) -> None:
        self._began = time.monotonic()
        try:
            with self._sessions() as session:
                rows = blocklist.unexpired(session, now=datetime.now(UTC))
        except SQLAlchemyError as error:
            # What was known still counts.
            _log.warning("blocklist_unknown", error=repr(error))
        else:
            self._known = _sorted_out(rows)
        self._ended = time.monotonic()


def _if_standing(block: Standing | None, now: float) -> Standing | None:
    return block if block is not None and now < block.until else None


def _sorted_out(rows: Sequence[Any]) -> _Known:
    networks: list[tuple[Network, Standing]] = []
    lifted: list[tuple[Network, Standing]] = []
    principals: dict[UUID, Standing] = {}
    for row in rows:
        standing = Standing(row.expires_at.timestamp(), automatic=row.actor is None)
        if row.network is not None and row.lifted_at is None:
            networks.append((ip_network(row.network), standing))
        elif row.network is not None and standing.automatic:
            lifted.append((ip_network(row.network), standing))
        elif row.lifted_at is None:
            principals[row.principal] = standing
    return _Known(_Networks(networks), principals, _Networks(lifted))
