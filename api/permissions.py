"""Who may do what to whose: the one table, and what enforces it.

A row names the scope a route needs. An application's key acts on everything of its
application. A person acts on their own, and on others' only in the roles the row names.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

import falcon

from api.errors import BEARER, Problem
from domain.principals import Principal

_NOBODY: Final[frozenset[str]] = frozenset()
_READERS: Final = frozenset({"operator", "auditor", "admin"})
_OPERATORS: Final = frozenset({"operator", "admin"})
_AUDITORS: Final = frozenset({"auditor", "admin"})
_ADMINS: Final = frozenset({"admin"})


class Rule(NamedTuple):
    """What a route needs; without a scope it needs no more than a known caller."""

    scope: str = ""
    # Roles in which a person does this to what is not their own.
    others: frozenset[str] = _NOBODY
    # Whether a person without such a role does it to their own.
    own: bool = True
    # Whether anybody at all may, unknown callers too.
    open: bool = False
    # The one application whose keys may; without one, each its own.
    application: str = ""


_OPEN: Final = Rule(open=True)
# What a person does with their own account; no key has this scope.
_ACCOUNT: Final = Rule("account")
_PEOPLE: Final = Rule("people:manage", _ADMINS, own=False)
_WEBHOOKS: Final = Rule("webhooks:manage", _ADMINS, own=False)
_BLOCKS: Final = Rule("abuse:operate", _OPERATORS, own=False)
_PUBLISHING: Final = Rule("ledger:spend", own=False, application="content")
_GOVERNING: Final = Rule("governance:read")
# What people do alone; no key has these scopes, and the domain knows whose is what.
_VOTING: Final = Rule("governance:vote")
_PROPOSING: Final = Rule("governance:propose")
_PROPOSED: Final = Rule("governance:propose", _OPERATORS)
_READING: Final = Rule("ledger:read", own=False, application="content")

# What a person may do by each of their roles; every person is a member.
SCOPES_OF_ROLE: Final[Mapping[str, frozenset[str]]] = {
    "member": frozenset(
        {
            *("account", "ledger:read", "ledger:spend"),
            *("governance:read", "governance:propose", "governance:vote"),
        }
    ),
    "moderator": frozenset({"moderation"}),
    "council": frozenset({"council"}),
    "guardian": frozenset({"governance:veto"}),
    "operator": frozenset(
        {"ledger:credit", "jobs:operate", "abuse:operate", "governance:operate"}
    ),
    "auditor": frozenset({"audit:read"}),
    "admin": frozenset(
        {
            *("ledger:credit", "jobs:operate", "abuse:operate", "audit:read"),
            *("keys:manage", "people:manage", "webhooks:manage"),
            "governance:operate",
        }
    ),
}

_WATCHING: Final = Rule("governance:read")
# Of people alone: no key has these scopes.
_TAKING_PART: Final = Rule("governance:propose")
_CALLING: Final = Rule("governance:operate", _OPERATORS, own=False)
_COUNCIL: Final = "/api/governance/councils/{council_id:uuid}"
_SEAT: Final = f"{_COUNCIL}/seats/{{seat_id:uuid}}"
_NOMINATIONS: Final = "/api/governance/elections/{election_id:uuid}/nominations"
# Who sits in a council may do more in it than others: domain/councils sees to that.
_COUNCILS: Final[Mapping[tuple[str, str], Rule]] = {
    ("GET", "/api/governance/councils"): _WATCHING,
    ("POST", "/api/governance/councils"): _CALLING,
    ("GET", "/api/governance/council_members"): _WATCHING,
    ("GET", _COUNCIL): _WATCHING,
    ("GET", f"{_COUNCIL}/seats"): _WATCHING,
    ("GET", _SEAT): _WATCHING,
    ("PATCH", _SEAT): _TAKING_PART,
    ("DELETE", _SEAT): _TAKING_PART,
    ("POST", f"{_SEAT}/absence"): _TAKING_PART,
    ("POST", f"{_SEAT}/absence/answer"): _TAKING_PART,
    ("POST", f"{_SEAT}/vacancy"): _TAKING_PART,
    ("GET", f"{_COUNCIL}/elections"): _WATCHING,
    ("POST", f"{_COUNCIL}/elections"): _CALLING,
    ("GET", _NOMINATIONS): _WATCHING,
    ("POST", _NOMINATIONS): _TAKING_PART,
    ("DELETE", _NOMINATIONS): _TAKING_PART,
    ("GET", f"{_COUNCIL}/recalls"): _WATCHING,
    ("POST", f"{_COUNCIL}/recalls"): _TAKING_PART,
    ("POST", f"{_COUNCIL}/recalls/{{recall_id:uuid}}/second"): _TAKING_PART,
}
_BOUNTY: Final = "/api/bounties/{bounty_id:uuid}"
_CLAIM: Final = f"{_BOUNTY}/claims/{{claimant_id:uuid}}"
_BOUNTIES: Final[Mapping[tuple[str, str], Rule]] = {
    ("GET", "/api/bounties"): _WATCHING,
    ("POST", "/api/bounties"): _ACCOUNT,
    ("GET", _BOUNTY): _WATCHING,
    ("GET", f"{_BOUNTY}/claims"): _WATCHING,
    ("POST", f"{_BOUNTY}/claims"): _ACCOUNT,
    ("POST", f"{_CLAIM}/acceptance"): Rule("account", _OPERATORS),
    ("POST", f"{_CLAIM}/rejection"): Rule("account", _OPERATORS),
    ("POST", f"{_BOUNTY}/close"): Rule("account", _OPERATORS),
}

RULES: Final[Mapping[tuple[str, str], Rule]] = {
    ("GET", "/health"): _OPEN,
    ("GET", "/status/ready"): _OPEN,
    ("GET", "/metrics"): _OPEN,
    ("GET", "/problems"): _OPEN,
    ("GET", "/problems/{code}"): _OPEN,
    ("GET", "/openapi.json"): _OPEN,
    ("GET", "/docs"): _OPEN,
    ("GET", "/apidocs"): _OPEN,
    ("GET", "/redoc"): _OPEN,
    ("GET", "/assets/{digest}/{file}"): _OPEN,
    # A job belongs to who submitted it; the query sees to that.
    ("GET", "/jobs"): Rule(others=_OPERATORS),
    ("GET", "/jobs/{job_id:uuid}"): Rule(others=_OPERATORS),
    ("DELETE", "/jobs/{job_id:uuid}"): Rule(others=_OPERATORS),
    ("GET", "/jobs/{job_id:uuid}/events"): Rule(others=_OPERATORS),
    ("POST", "/jobs/{job_id:uuid}/retry"): Rule("jobs:operate", _OPERATORS, own=False),
    ("POST", "/ledger"): Rule("ledger:spend", _OPERATORS),
    ("POST", "/ledger/batches"): Rule("ledger:spend", _OPERATORS),
    ("POST", "/ledger/transfers"): Rule("ledger:spend"),
    ("POST", "/ledger/transfers/{transfer_id:uuid}/reversal"): Rule(
        "ledger:credit", _OPERATORS, own=False
    ),
    ("GET", "/ledger/operations"): Rule("ledger:read", _READERS),
    ("GET", "/ledger/trial-balance"): Rule("ledger:read", _READERS),
    ("GET", "/ledger/transfers/{transfer_id:uuid}"): Rule("ledger:read", _READERS),
    ("GET", "/ledger/{owner_id}"): Rule("ledger:read", _READERS),
    ("GET", "/ledger/{owner_id}/entries"): Rule("ledger:read", _READERS),
    ("GET", "/balance/{owner_id}"): Rule("ledger:read", _READERS),
    ("POST", "/auth/register"): _OPEN,
    ("POST", "/auth/token"): _OPEN,
    ("POST", "/auth/refresh"): _OPEN,
    ("POST", "/auth/external"): _OPEN,
    ("POST", "/auth/password-reset/request"): _OPEN,
    ("POST", "/auth/password-reset/confirm"): _OPEN,
    ("GET", "/.well-known/jwks.json"): _OPEN,
    ("POST", "/auth/logout"): _ACCOUNT,
    ("GET", "/auth/me"): _ACCOUNT,
    ("POST", "/auth/password"): _ACCOUNT,
    ("GET", "/auth/sessions"): _ACCOUNT,
    ("DELETE", "/auth/sessions"): _ACCOUNT,
    ("DELETE", "/auth/sessions/{login_id:uuid}"): _ACCOUNT,
    ("GET", "/api/users"): _PEOPLE,
    ("GET", "/api/users/check-username/{name}"): _OPEN,
    ("GET", "/api/users/{user_id:uuid}"): Rule("account", _ADMINS),
    ("PATCH", "/api/users/{user_id:uuid}"): _ACCOUNT,
    ("DELETE", "/api/users/{user_id:uuid}"): Rule("account", _ADMINS),
    ("GET", "/api/users/{user_id:uuid}/roles"): _PEOPLE,
    ("POST", "/api/users/{user_id:uuid}/roles"): _PEOPLE,
    ("DELETE", "/api/users/{user_id:uuid}/roles/{role}"): _PEOPLE,
    ("POST", "/content"): _PUBLISHING,
    ("GET", "/content/{content_id:uuid}"): _READING,
    ("POST", "/content/{content_id:uuid}/access"): _PUBLISHING,
    ("GET", "/api/audit/events"): Rule("audit:read", _AUDITORS, own=False),
    ("GET", "/auth/api-keys"): Rule("keys:manage", _ADMINS, own=False),
    ("POST", "/auth/api-keys"): Rule("keys:manage", _ADMINS, own=False),
    ("GET", "/auth/api-keys/{key_id}"): Rule("keys:manage", _ADMINS, own=False),
    ("DELETE", "/auth/api-keys/{key_id}"): Rule("keys:manage", _ADMINS, own=False),
    # No key has the scope `account`, and nobody a role for others' wallets.
    ("GET", "/api/users/{user_id:uuid}/wallets"): _ACCOUNT,
    ("POST", "/api/users/{user_id:uuid}/wallets"): _ACCOUNT,
    ("GET", "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}"): _ACCOUNT,
    ("PATCH", "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}"): _ACCOUNT,
    ("DELETE", "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}"): _ACCOUNT,
    ("POST", "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}/challenge"): _ACCOUNT,
    ("POST", "/api/users/{user_id:uuid}/wallets/{wallet_id:uuid}/proof"): _ACCOUNT,
    # An admin may lift what a person who lost their keys demanded.
    ("GET", "/api/users/{user_id:uuid}/signatures"): Rule("account", _ADMINS),
    ("PATCH", "/api/users/{user_id:uuid}/signatures"): Rule("account", _ADMINS),
    ("POST", "/api/governance/proposals/{proposal_id:uuid}/ballots"): _VOTING,
    ("GET", "/api/governance/proposals/{proposal_id:uuid}/ballots/mine"): _VOTING,
    ("POST", "/api/governance/proposals/{proposal_id:uuid}/conflicts"): _VOTING,
    ("GET", "/api/governance/delegations"): _VOTING,
    ("POST", "/api/governance/delegations"): _VOTING,
    ("GET", "/api/governance/delegations/{delegation_id:uuid}"): _VOTING,
    ("DELETE", "/api/governance/delegations/{delegation_id:uuid}"): _VOTING,
    ("GET", "/api/immune/blocklist"): _BLOCKS,
    ("POST", "/api/immune/blocklist"): _BLOCKS,
    ("DELETE", "/api/immune/blocklist"): _BLOCKS,
    ("GET", "/api/immune/blocklist/{block_id:uuid}"): _BLOCKS,
    ("DELETE", "/api/immune/blocklist/{block_id:uuid}"): _BLOCKS,
    ("GET", "/api/webhooks"): _WEBHOOKS,
    ("POST", "/api/webhooks"): _WEBHOOKS,
    ("GET", "/api/webhooks/{webhook_id:uuid}"): _WEBHOOKS,
    ("PATCH", "/api/webhooks/{webhook_id:uuid}"): _WEBHOOKS,
    ("DELETE", "/api/webhooks/{webhook_id:uuid}"): _WEBHOOKS,
    ("POST", "/api/webhooks/{webhook_id:uuid}/secret"): _WEBHOOKS,
    ("POST", "/api/webhooks/{webhook_id:uuid}/ping"): _WEBHOOKS,
    ("POST", "/api/webhooks/{webhook_id:uuid}/replay"): _WEBHOOKS,
    ("GET", "/api/webhooks/{webhook_id:uuid}/deliveries"): _WEBHOOKS,
    ("GET", "/api/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}"): _WEBHOOKS,
    (
        "POST",
        "/api/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}/replay",
    ): _WEBHOOKS,
    ("GET", "/api/governance/proposals/{proposal_id:uuid}/result"): _GOVERNING,
    ("GET", "/api/governance/proposals/{proposal_id:uuid}/package"): _GOVERNING,
    ("GET", "/api/governance/proposals/{proposal_id:uuid}/explain"): _GOVERNING,
    ("GET", "/api/governance/proposals/{proposal_id:uuid}/counts"): _GOVERNING,
    # For people: counting costs a worker's time.
    ("POST", "/api/governance/proposals/{proposal_id:uuid}/counts"): _VOTING,
    ("GET", "/api/governance/proposal-types"): _GOVERNING,
    ("GET", "/api/governance/proposal-types/{type_name}"): _GOVERNING,
    ("GET", "/api/governance/proposals"): _GOVERNING,
    ("POST", "/api/governance/proposals"): _PROPOSING,
    ("GET", "/api/governance/proposals/{proposal_id:uuid}"): _GOVERNING,
    ("PATCH", "/api/governance/proposals/{proposal_id:uuid}"): _PROPOSING,
    ("GET", "/api/governance/proposals/{proposal_id:uuid}/versions"): _GOVERNING,
    ("POST", "/api/governance/proposals/{proposal_id:uuid}/open"): _PROPOSING,
    ("POST", "/api/governance/proposals/{proposal_id:uuid}/adoption"): _PROPOSING,
    ("POST", "/api/governance/proposals/{proposal_id:uuid}/cancel"): _PROPOSED,
    ("POST", "/api/governance/proposals/{proposal_id:uuid}/outcome"): _PROPOSED,
    ("POST", "/api/governance/proposals/{proposal_id:uuid}/veto"): Rule(
        "governance:veto", frozenset({"guardian"}), own=False
    ),
    **_COUNCILS,
    **_BOUNTIES,
}


_NOBODYS: Final = Rule("nobody")


def rule_of(req: falcon.Request) -> Rule:
    """Return the rule of a request; a route without one is nobody's."""
    method = "GET" if req.method == "HEAD" else req.method
    return RULES.get((method, req.uri_template or ""), _NOBODYS)


def enforce(req: falcon.Request, rule: Rule, principal: Principal) -> None:
    """Answer 403 when the principal may not do this to anyone's; note whose it may."""
    if rule.scope and rule.scope not in principal.scopes:
        raise missing_scope(rule.scope, principal)
    if rule.application not in {"", principal.application}:
        detail = f"This needs a key of application {rule.application}."
        raise Problem(403, "wrong_application", detail)
    anyones = principal.owner is None or bool(principal.roles & rule.others)
    if not anyones and not rule.own:
        raise Problem(403, "forbidden", "This is not for people's tokens.")
    req.context.anyones = anyones
    req.context.principal = principal


def missing_scope(scope: str, principal: Principal, what: str = "This") -> Problem:
    """Return the 403 that names the scope, to people as RFC 6750 has it."""
    challenge = f'{BEARER}, error="insufficient_scope", scope="{scope}"'
    return Problem(
        403,
        "missing_scope",
        f"{what} needs the scope {scope}.",
        headers=None if principal.owner is None else {"WWW-Authenticate": challenge},
        scope=scope,
    )


def principal_of(req: falcon.Request) -> Principal:
    """Return who asks."""
    principal: Principal = req.context.principal
    return principal


def login_of(req: falcon.Request) -> UUID:
    """Return the login a person asks in; the scope `account` is theirs alone."""
    login_id = principal_of(req).session
    assert login_id is not None, "an application has no logins"  # noqa: S101
    return login_id


def visible_application(principal: Principal, named: str | None = None) -> str | None:
    """Return whose things the caller sees; None when every application's."""
    return named if principal.owner is not None else application_of(principal, named)


def application_of(principal: Principal, named: str | None) -> str:
    """Return the application something is for: an application's key does its own."""
    if principal.owner is None and named not in {None, principal.application}:
        raise Problem(
            403, "wrong_application", f"Yours is what is of {principal.application}."
        )
    return named or principal.application


def require_own(principal: Principal, *owners: str) -> None:
    """Answer 403 to a person unless one of these accounts is theirs."""
    if principal.owner is not None and principal.owner not in owners:
        raise Problem(403, "not_your_account", "You act on your own account alone.")


def readable(req: falcon.Request, *owners: str) -> bool:
    """Say whether the caller sees everyone's accounts, or one of these is theirs."""
    anyones: bool = req.context.anyones
    return anyones or principal_of(req).owner in owners


def require_readable(req: falcon.Request, owner: str) -> None:
    """Answer 403 unless the caller sees everyone's accounts, or this is theirs."""
    if not readable(req, owner):
        require_own(principal_of(req), owner)
