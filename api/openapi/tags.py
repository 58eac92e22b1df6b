"""The groups the document shows routes in, by the beginnings of their paths."""

from typing import Final

_RUNNING: Final = "Running it"

TAGS: Final = {
    "Ledger": "Credits: writes, balances, statements, the books.",
    "Content": "Content that is paid for in credits.",
    "Jobs": "What became of what was accepted.",
    "Logging in": "Accounts, tokens, sessions and passwords of people.",
    "People": "Who they are, and which roles they hold.",
    "Wallets": "A person's wallets, their proofs, and what needs a signature.",
    "API keys": "The keys of applications.",
    "Councils": "Who sits in them, who stands, and who is to leave.",
    "Bounties": "Credits held for something to be done.",
    "Webhooks": "Where an application is told of events, and what it was sent.",
    "Governance": "Proposals, votes, councils, and what follows.",
    "Audit": "Who did what to what.",
    "Blocklist": "Who is kept out, for a while.",
    _RUNNING: "Is it well, what does it say, and how is it used.",
}

# The longest beginning that fits counts.
_BEGINNINGS: Final = {
    "/ledger": "Ledger",
    "/balance": "Ledger",
    "/content": "Content",
    "/jobs": "Jobs",
    "/auth": "Logging in",
    "/.well-known": "Logging in",
    "/auth/api-keys": "API keys",
    "/api/users": "People",
    "/api/users/{user_id}/wallets": "Wallets",
    "/api/users/{user_id}/signatures": "Wallets",
    "/api/webhooks": "Webhooks",
    "/api/bounties": "Bounties",
    "/api/governance/council": "Councils",
    "/api/governance/elections": "Councils",
    "/api/governance": "Governance",
    "/api/audit": "Audit",
    "/api/immune": "Blocklist",
}


def tag_of(path: str) -> str:
    """Return the group of a path."""
    fitting = [start for start in _BEGINNINGS if path.startswith(start)]
    return _BEGINNINGS[max(fitting, key=len)] if fitting else _RUNNING
