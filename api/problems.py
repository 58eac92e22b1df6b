"""What the `type` of a problem leads to: help, for people and programs (RFC 9457)."""

import re
from collections.abc import Callable
from html import escape
from typing import Any, Final

import falcon

from api import media
from api.assets import path_of
from api.openapi.describing import describes
from api.problem_types import ProblemType, problem_types
from api.shapes.problems import ProblemType as Explained
from api.shapes.problems import ProblemTypes

HTML: Final = "text/html"
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# They change with a release, and no caller waits for one.
_CACHED: Final = "public, max-age=3600"

_FRAME: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}">
<main>
{content}
<p><a href="/problems">All problems</a> · <a href="/docs">The API</a></p>
</main>
</html>
"""
_PROBLEM: Final = """\
<p><code>{code}</code> · {status} {title}</p>
<h1>{what}</h1>
<h2>Why</h2>
<p>{why}</p>
<h2>What to do</h2>
<p>{fix}</p>"""
_QUOTED: Final = re.compile("`([^`]+)`")
_ROW: Final = (
    '<dt>{status} <a href="{path}"><code>{code}</code></a></dt><dd>{what}</dd>'
)


class ProblemPages:
    """GET /problems/{code}."""

    @describes({200: {media.JSON: Explained, HTML: "<!doctype html>…"}}, tagged=True)
    def on_get(self, req: falcon.Request, resp: falcon.Response, code: str) -> None:
        """Explain one kind of problem: what happened, why, and what to do.

        A page where the caller prefers HTML, and JSON otherwise.
        """
        found = problem_types().get(code)
        if found is None:
            raise falcon.HTTPNotFound(description="No problem has this code.")
        _answer(req, resp, _shown(found), lambda: _page(found))


class ProblemList:
    """GET /problems."""

    @describes({200: {media.JSON: ProblemTypes, HTML: "<!doctype html>…"}}, tagged=True)
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List every kind of problem there is.

        A page where the caller prefers HTML, and JSON otherwise.
        """
        shown = {"problems": [_shown(found) for found in problem_types().values()]}
        _answer(req, resp, shown, _list)


def _answer(
    req: falcon.Request, resp: falcon.Response, shown: Any, page: Callable[[], str]
) -> None:
    resp.append_header("Vary", "Accept")
    resp.set_header("Cache-Control", _CACHED)
    if req.client_prefers([media.JSON, HTML]) == HTML:
        resp.set_header("Content-Security-Policy", _POLICY)
        media.show_body(req, resp, page().encode(), falcon.MEDIA_HTML)
    else:
        media.show(req, resp, shown)


def _shown(found: ProblemType) -> dict[str, Any]:
    return {"type": found.path, "title": found.title, **found._asdict()}


def _page(found: ProblemType) -> str:
    shown = {name: _marked_up(str(said)) for name, said in _shown(found).items()}
    return _framed(found.what, _PROBLEM.format(**shown))


def _list() -> str:
    rows = "\n".join(
        _ROW.format(
            status=found.status,
            path=escape(found.path),
            code=escape(code),
            what=_marked_up(found.what),
        )
        for code, found in problem_types().items()
    )
    return _framed("Problems", f"<h1>Problems</h1>\n<dl>\n{rows}\n</dl>")


def _marked_up(text: str) -> str:
    """Return text as HTML; what stands in backquotes is code."""
    return _QUOTED.sub(r"<code>\1</code>", escape(text))


def _framed(title: str, content: str) -> str:
    return _FRAME.format(
        title=escape(title), style=path_of("help.css"), content=content
    )
