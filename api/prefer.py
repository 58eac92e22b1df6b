"""What the caller prefers (RFC 7240): to be answered at once, or to wait so long."""

import re
from dataclasses import dataclass
from typing import Final

import falcon

from api.query import WAIT_SECONDS_MAX

# Between commas, unless within quotes.
_PREFERENCE: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_WAIT: Final = re.compile(
    r'\s*wait\s*=\s*("?)([0-9]{1,20})\1\s*(;.*)?', re.IGNORECASE | re.ASCII
)
_RESPOND_ASYNC: Final = re.compile(r"\s*respond-async\s*(;.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences we know; what is malformed or unknown is as if unsaid."""

    wait: int | None
    respond_async: bool

    @classmethod
    def of(cls, req: falcon.Request) -> "Preferences":
        """Read the header; of a preference given twice the first counts."""
        stated = _PREFERENCE.findall(req.get_header("Prefer") or "")
        waits = [int(m[2]) for text in stated if (m := _WAIT.fullmatch(text))]
        return cls(
            wait=min(waits[0], WAIT_SECONDS_MAX) if waits else None,
            respond_async=any(map(_RESPOND_ASYNC.fullmatch, stated)),
        )

    def acknowledge(self, resp: falcon.Response) -> None:
        """Say which of them shaped the answer, and that they may shape another."""
        applied = [f"wait={self.wait}"] if self.wait is not None else []
        if self.respond_async and resp.status == falcon.HTTP_202:
            applied.append("respond-async")
        if applied:
            resp.set_header("Preference-Applied", ", ".join(applied))
        resp.append_header("Vary", "Prefer")
