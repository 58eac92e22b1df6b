"""Who may use a route, as the table of permissions has it (`api/permissions.py`)."""

from collections.abc import Iterator
from typing import Any, Final

from api.permissions import SCOPES_OF_ROLE, Rule
from domain.keys import SCOPES

_KEY: Final = "apiKey"
_PERSON: Final = "bearer"


def schemes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the two ways to say who asks."""
    yield (
        _KEY,
        {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "An application's key; `x-token` is the same header.",
        },
    )
    yield (
        _PERSON,
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A person's access token, from POST /auth/token.",
        },
    )


def requirements(rule: Rule) -> list[dict[str, list[str]]]:
    """Return which of the two is needed, with the scope; none where all may."""
    if rule.open:
        return []
    scopes = [rule.scope] if rule.scope else []
    by_key = [{_KEY: scopes}] if not rule.scope or rule.scope in SCOPES else []
    by_person = [{_PERSON: scopes}] if _people_may(rule) else []
    return by_key + by_person


def words(rule: Rule) -> str:
    """Return the same in words."""
    if rule.open:
        return "For everybody."
    needs = f"Needs the scope `{rule.scope}`." if rule.scope else ""
    roles = ", ".join(sorted(rule.others))
    others = f"On what is not their own, people need a role: {roles}." if roles else ""
    none = "" if _people_may(rule) else "For applications alone."
    return " ".join(filter(None, [needs, others, none]))


def _people_may(rule: Rule) -> bool:
    if rule.own:
        return True
    return any(not rule.scope or rule.scope in SCOPES_OF_ROLE[r] for r in rule.others)
