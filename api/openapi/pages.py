"""The document, and the pages that show it; all of them are served by us."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import falcon
import orjson

from api import media
from api.assets import Assets, path_of
from api.openapi.describing import describes, describes_item
from api.openapi.document import build
from api.problems import HTML, ProblemList, ProblemPages
from api.router import Router
from api.shapes.operating import OpenApi

_DOCUMENT: Final = "/openapi.json"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; "
    "img-src 'self' data:; connect-src 'self'{worker}; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# ReDoc makes two style elements: an empty one, which it fills by and by (the sum of
# nothing), and one with its scrollbar's rules. It searches in a worker, made of a blob.
_OF_REDOC: Final = {
    "style": (
        " 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
        " 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
    ),
    "worker": "; worker-src blob:",
}
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The People's Coin: its API</title>
<link rel="icon" href="data:,">
{styles}
<div id="page"></div>
{scripts}
</html>
"""


def add_routes(app: falcon.App[Any, Any], router: Router) -> None:
    """Serve the document, its pages, and the help for problems."""
    swagger = Page(
        _filled(["swagger-ui.css"], ["swagger-ui-bundle.js", "swagger.js"]),
        _POLICY.format(style="", worker=""),
    )
    redoc = Page(
        _filled(["redoc.css"], ["redoc.standalone.js", "redoc.js"]),
        _POLICY.format(**_OF_REDOC),
    )
    app.add_route(_DOCUMENT, Document(lambda: build(router.resources)))
    app.add_route("/docs", swagger)
    app.add_route("/apidocs", swagger)
    app.add_route("/redoc", redoc)
    app.add_route("/assets/{digest}/{file}", Assets())
    app.add_route("/problems", ProblemList())
    app.add_route("/problems/{code}", ProblemPages())


class Document:
    """GET /openapi.json."""

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        # Every route is known only when the first request has come.
        self._json = cache(lambda: orjson.dumps(make()))

    @describes_item(OpenApi)
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Describe this API, in OpenAPI 3.1."""
        media.show_body(req, resp, self._json())


class Page:
    """GET /docs, /apidocs and /redoc."""

    def __init__(self, html: bytes, policy: str) -> None:
        self._html = html
        self._policy = policy

    @describes({200: {HTML: "<!doctype html>…"}}, tagged=True)
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show this description as a page."""
        resp.set_header("Content-Security-Policy", self._policy)
        # The files it names may be others tomorrow; each is kept for good.
        resp.set_header("Cache-Control", "no-cache")
        media.show_body(req, resp, self._html, falcon.MEDIA_HTML)


def _filled(styles: list[str], scripts: list[str]) -> bytes:
    links = [f'<link rel="stylesheet" href="{path_of(name)}">' for name in styles]
    loads = [f'<script src="{path_of(name)}"></script>' for name in scripts]
    return _PAGE.format(styles="\n".join(links), scripts="\n".join(loads)).encode()
