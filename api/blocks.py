"""The blocklist on the wire: operators see it, add to it and take from it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, Final
from uuid import UUID

import falcon
from marshmallow import (
    RAISE,
    Schema,
    ValidationError,
    fields,
    validate,
    validates_schema,
)
from sqlalchemy.orm import Session, sessionmaker

from api import media, query
from api.addresses import UNKNOWN, address_of
from api.audit import note
from api.blocklist import Blocklist
from api.bodies import PRINTABLE, REASON_LENGTH_MAX
from api.permissions import principal_of
from domain import blocklist
from domain.audit_events import Action
from domain.networks import Network, lies_in, read_network

_SECONDS: Final = 3_600
_ADDRESS_LENGTH_MAX: Final = 64


def _printable(value: str) -> None:
    if not PRINTABLE.fullmatch(value):
        raise ValidationError("No control characters.")


class BlockBody(Schema):
    """POST /api/immune/blocklist."""

    class Meta:
        """Unknown fields are named, not ignored."""

        unknown = RAISE

    address = fields.String(validate=validate.Length(1, _ADDRESS_LENGTH_MAX))
    principal = fields.UUID()
    reason = fields.String(
        required=True, validate=[validate.Length(1, REASON_LENGTH_MAX), _printable]
    )
    seconds = fields.Integer(
        strict=True,
        load_default=_SECONDS,
        validate=validate.Range(1, blocklist.SECONDS_MAX),
    )

    @validates_schema
    def _one_of_two(self, data: Mapping[str, Any], **_options: Any) -> None:
        if ("address" in data) == ("principal" in data):
            raise ValidationError("Name an address or a principal.")


def add_routes(
    app: falcon.App[Any, Any], sessions: sessionmaker[Session], known: Blocklist
) -> None:
    """Serve the blocklist."""
    app.add_route("/api/immune/blocklist", Blocks(sessions, known))
    app.add_route("/api/immune/blocklist/{block_id:uuid}", BlockItem(sessions, known))


class Blocks:
    """GET, POST and DELETE /api/immune/blocklist."""

    def __init__(self, sessions: sessionmaker[Session], known: Blocklist) -> None:
        self._sessions = sessions
        self._known = known
        self._schema = BlockBody()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show a page of the blocks that stand, or of all there ever were."""
        query.allow(req, "state", "limit", "cursor")
        standing = query.one_of(req, "state", "standing", "all") != "all"
        start, limit = query.start(req, query.uuid), query.limit(req)
        now = datetime.now(UTC)
        with self._sessions() as session:
            found = blocklist.page(
                session, standing=standing, start=start, limit=limit, now=now
            )
        query.page(req, resp, "blocks", found, lambda row: _describe(row, now))

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Block an address, a network or a principal, for a while."""
        body = media.load(self._schema, media.read_json(req))
        whom = _whom(req, body)
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            block = blocklist.add(
                session,
                whom=whom,
                reason=body["reason"],
                actor=principal_of(req).id,
                seconds=body["seconds"],
                now=now,
            )
            end = block.expires_at.isoformat()
            note(req, session, Action.BLOCK_ADDED, f"block:{block.id}", expires_at=end)
        self._known.changed()
        resp.status = falcon.HTTP_201
        resp.location = f"/api/immune/blocklist/{block.id}"
        resp.media = _describe(block, now)

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Lift every block."""
        query.allow(req)
        with self._sessions.begin() as session:
            lifted = blocklist.lift_all(
                session, actor=principal_of(req).id, now=datetime.now(UTC)
            )
            if lifted:
                note(req, session, Action.BLOCK_LIFTED, "block:all", lifted=lifted)
        self._known.changed()
        resp.media = {"lifted": lifted}


class BlockItem:
    """GET and DELETE /api/immune/blocklist/{block_id}."""

    def __init__(self, sessions: sessionmaker[Session], known: Blocklist) -> None:
        self._sessions = sessions
        self._known = known

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, block_id: UUID
    ) -> None:
        """Show one block."""
        with self._sessions() as session:
            block = blocklist.find(session, block_id)
        media.show(req, resp, _describe(block, datetime.now(UTC)))

    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, block_id: UUID
    ) -> None:
        """Lift one block."""
        with self._sessions.begin() as session:
            stood = blocklist.lift(
                session, block_id, actor=principal_of(req).id, now=datetime.now(UTC)
            )
            if stood:
                note(req, session, Action.BLOCK_LIFTED, f"block:{block_id}")
        self._known.changed()
        resp.status = falcon.HTTP_204


def _whom(req: falcon.Request, body: Mapping[str, Any]) -> Network | UUID:
    if "address" not in body:
        principal: UUID = body["principal"]
        if principal == principal_of(req).id:
            raise blocklist.BlocksYourself
        return principal
    network = read_network(body["address"])
    own = address_of(req)
    if own != UNKNOWN and lies_in(ip_network(own), network):
        raise blocklist.BlocksYourself
    return network


def _describe(block: Any, now: datetime) -> dict[str, Any]:
    return {
        "id": str(block.id),
        "address": block.network,
        "principal": block.principal and str(block.principal),
        "reason": block.reason,
        "actor": block.actor and str(block.actor),
        "automatic": block.actor is None,
        "standing": block.lifted_at is None and now < block.expires_at,
        "created_at": block.created_at.isoformat(),
        "expires_at": block.expires_at.isoformat(),
        "lifted_at": block.lifted_at and block.lifted_at.isoformat(),
        "lifted_by": block.lifted_by and str(block.lifted_by),
    }
