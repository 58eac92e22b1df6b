"""The public keys access tokens are verified with, for everyone (RFC 7517)."""

import falcon

from api import query
from api.media import show
from api.openapi.describing import describes_item
from api.shapes.people import PublicKeys
from api.tokens import JWKS_SECONDS, AccessTokens


class Jwks:
    """GET /.well-known/jwks.json."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    @describes_item(PublicKeys, query=[])
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the keys."""
        query.allow(req)
        resp.set_header("Cache-Control", f"public, max-age={JWKS_SECONDS}")
        show(req, resp, {"keys": self._tokens.published()})
