"""Wallets on the wire: each person's own, their proofs, and what they sign."""

from typing import Any

import falcon
from sqlalchemy.orm import Session, sessionmaker

from api.signatures import Signatures
from api.wallets.demands import Demands
from api.wallets.keeping import WalletItem, Wallets
from api.wallets.proofs import Challenges, Proofs


def add_routes(
    app: falcon.App[Any, Any], sessions: sessionmaker[Session], signatures: Signatures
) -> None:
    """Serve people their wallets."""
    person = "/api/users/{user_id:uuid}"
    wallet = f"{person}/wallets/{{wallet_id:uuid}}"
    app.add_route(f"{person}/wallets", Wallets(sessions, signatures))
    app.add_route(wallet, WalletItem(sessions, signatures))
    app.add_route(f"{wallet}/challenge", Challenges(sessions))
    app.add_route(f"{wallet}/proof", Proofs(sessions, signatures))
    app.add_route(f"{person}/signatures", Demands(sessions, signatures))
