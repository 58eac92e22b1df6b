"""The parameters of requests: those that mean the same everywhere are here, once."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from api.bodies import NAME_LENGTH_MAX, NONCE_LENGTH_MAX
from api.query import LIMIT_DEFAULT, LIMIT_MAX, WAIT_SECONDS_MAX
from api.shapes.members import A_PERSON, AN_ID
from domain.jobs import STATES
from domain.roles import ROLES

_TEXT: Final[Mapping[str, Any]] = {"type": "string", "minLength": 1}
_UUID: Final[Mapping[str, Any]] = {"type": "string", "format": "uuid"}
_TIME: Final[Mapping[str, Any]] = {"type": "string", "format": "date-time"}


class Parameter(NamedTuple):
    """One parameter; without an example, an example request leaves it out."""

    name: str
    about: str
    schema: Mapping[str, Any] = _TEXT
    example: Any = None

    def described(self, place: str, *, required: bool = False) -> dict[str, Any]:
        """Return the parameter as OpenAPI has it."""
        shown = {} if self.example is None else {"example": self.example}
        return {
            "name": self.name,
            "in": place,
            "description": self.about,
            "required": required,
            "schema": dict(self.schema),
            **shown,
        }


def one_of(name: str, about: str, *choices: str) -> Parameter:
    """Return a parameter that is one of a few words."""
    return Parameter(name, about, {"type": "string", "enum": [*choices]}, choices[0])


def _by_name(*parameters: Parameter) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in parameters}


def _up_to(number: int, *, since: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": "integer", "minimum": since, "maximum": number, **more}


QUERY: Final = _by_name(
    Parameter(
        "limit",
        "How many items a page has.",
        _up_to(LIMIT_MAX, since=1, default=LIMIT_DEFAULT),
    ),
    Parameter("cursor", "Where the page begins: as `next` or `prev` gave it."),
    Parameter("wait", "Seconds to wait for its end.", _up_to(WAIT_SECONDS_MAX), 0),
    Parameter("at", "As it was then.", _TIME),
    Parameter(
        "min_version",
        "Never an older state than the one with this version; not with `at`.",
        {"type": "integer", "minimum": 0},
    ),
    Parameter("since", "Not before.", _TIME),
    Parameter("until", "Before.", _TIME),
    Parameter("operation", "Only this operation.", _TEXT, "CREDIT_ADD"),
    Parameter("kind", "Only jobs of this kind.", _TEXT, "ledger.post_operation"),
    Parameter("username", "Only who has this name.", _TEXT, "ada"),
    Parameter("application", "Only this application.", _TEXT, "commons"),
    Parameter("action", "Only this action.", _TEXT, "key.created"),
    Parameter("actor", "Only what this principal did.", _UUID, A_PERSON),
    Parameter("subject", "Only what was done to this.", _TEXT, "key:4fJ2aZ9xQw1B"),
    one_of("state", "Only jobs in this state.", *STATES),
    Parameter(
        "atomic",
        "All or nothing; for NDJSON alone.",
        {"type": "string", "enum": ["true", "false"]},
    ),
)

PATH: Final = _by_name(
    Parameter(
        "owner_id",
        "Who owns the account: a name of the application's choice, a person's id, or "
        "`@issuance` or `@treasury`.",
        {**_TEXT, "maxLength": NAME_LENGTH_MAX},
        "alice",
    ),
    Parameter("code", "The problem's `code`.", _TEXT, "insufficient_credits"),
    Parameter("key_id", "The key's `id`.", _TEXT, "4fJ2aZ9xQw1B"),
    Parameter("name", "The name.", _TEXT, "ada"),
    Parameter("type_name", "The type's name.", _TEXT, "simple_majority"),
    Parameter("file", "The file's name.", _TEXT, "help.css"),
    Parameter(
        "digest", "The beginning of the file's SHA-256.", _TEXT, "0123456789abcdef"
    ),
    Parameter("role", "The role.", {"type": "string", "enum": [*ROLES]}, "council"),
    Parameter("user_id", "The person's `id`.", _UUID, A_PERSON),
)

HEADERS: Final = _by_name(
    Parameter(
        "X-Request-ID",
        "Your id for this request, for your log and ours.",
        {"type": "string", "pattern": "^[0-9A-Za-z._:~-]{1,128}$"},
    ),
    Parameter(
        "traceparent",
        "The trace it belongs to (W3C Trace Context).",
        {
            "type": "string",
            "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        },
    ),
    Parameter(
        "Prefer",
        "`wait=N`: answer the outcome if it comes within N seconds, at most "
        f"{WAIT_SECONDS_MAX}; `respond-async`: answer 202 at once (RFC 7240).",
        {"type": "string", "pattern": "^(wait=[0-9]{1,2}|respond-async)$"},
        "wait=10",
    ),
    Parameter(
        "Idempotency-Key",
        "Names the write, as `nonce` does: sent again, it counts once.",
        {"type": "string", "minLength": 1, "maxLength": NONCE_LENGTH_MAX},
    ),
    Parameter("If-None-Match", "The ETag you have: 304 while it is the same."),
    Parameter("If-Match", "The ETag of what you have read."),
    Parameter("Last-Event-ID", "The last event you have seen: go on after it."),
    Parameter(
        "Content-Digest", "SHA-256 of the body, for a signed request (RFC 9530)."
    ),
    Parameter(
        "Signature-Input", "What is signed, when and by which wallet (RFC 9421)."
    ),
    Parameter("Signature", "The signature, where the account's holder demands one."),
)


def in_path(name: str, kind: str | None) -> Parameter:
    """Return a parameter of a path by its name, and its converter if it has one."""
    if name in PATH:
        return PATH[name]
    if kind == "uuid":
        return Parameter(name, "An id.", _UUID, AN_ID)
    raise LookupError(f"say in api/openapi/parameters.py what {{{name}}} is")
