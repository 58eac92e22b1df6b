"""What pages are made of: files of ours and of others, each by its SHA-256."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import falcon

from api.openapi.describing import describes

FOLDER: Final = Path(__file__).with_name("pages")
_SUMS: Final = "SHA256SUMS"
_DIGEST_LENGTH: Final = 16
# The address has the sum in it: what is there never changes.
_CACHED: Final = "public, max-age=31536000, immutable"
_MEDIA: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


@cache
def sums() -> Mapping[str, str]:
    """Return the SHA-256 of each file by its name."""
    lines = (FOLDER / _SUMS).read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def path_of(name: str) -> str:
    """Return where a file is served."""
    return f"/assets/{sums()[name][:_DIGEST_LENGTH]}/{name}"


class Assets:
    """GET /assets/{digest}/{file}."""

    @describes({200: {"text/css": "main { }", "text/javascript": "void 0;"}})
    def on_get(
        self, _req: falcon.Request, resp: falcon.Response, digest: str, file: str
    ) -> None:
        """Serve a file the pages are made of."""
        kind = _MEDIA.get(Path(file).suffix)
        whole = sums().get(file, "")
        if kind is None or whole[:_DIGEST_LENGTH] != digest:
            raise falcon.HTTPNotFound(description="There is no such file.")
        resp.set_header("Cache-Control", _CACHED)
        resp.content_type = kind
        resp.data = (FOLDER / file).read_bytes()
