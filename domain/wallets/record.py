"""The wallet's row, and what can be wrong with one."""

from base64 import b64encode
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base
from domain.errors import Conflict, NotFound, Refused

_TIME: Final = sa.DateTime(timezone=True)


class NoSuchWallet(NotFound):
    """There is no such wallet, or it is not yours."""

    code = "no_such_wallet"


class WalletExists(Conflict):
    """You have a wallet with this address on this network already."""

    code = "wallet_exists"


class TooManyWallets(Refused):
    """You have as many wallets as anybody may; remove one first."""

    code = "too_many_wallets"


class WalletWithoutKey(Conflict):
    """This wallet has no public key, so there is nothing to prove."""

    code = "wallet_without_key"


class NoChallenge(Conflict):
    """Ask for a challenge; each is good once, and the newest alone."""

    code = "no_challenge"


class NoProvedWallet(Conflict):
    """Signatures are demanded of those who can sign: prove a wallet's key first."""

    code = "no_proved_wallet"


class LastProvedWallet(Conflict):
    """Signatures are demanded, and no other wallet could sign; lift that first."""

    code = "last_proved_wallet"


class Wallet(Base):
    """One address of a person; of theirs, one is primary while there are any."""

    __tablename__ = "wallets"
    __table_args__ = (
        sa.Index(
            "wallets_primary",
            "user_id",
            unique=True,
            postgresql_where=sa.text("is_primary"),
        ),
        sa.Index(
            "wallets_address",
            "user_id",
            "network",
            "address",
            unique=True,
            postgresql_where=sa.text("removed_at IS NULL"),
        ),
        sa.Index("wallets_user", "user_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    network: Mapped[str] = mapped_column(sa.Text)
    address: Mapped[str] = mapped_column(sa.Text)
    label: Mapped[str] = mapped_column(sa.Text)
    is_primary: Mapped[bool]
    public_key: Mapped[bytes | None]
    challenge: Mapped[bytes | None]
    challenge_until: Mapped[datetime | None] = mapped_column(_TIME)
    proved_at: Mapped[datetime | None] = mapped_column(_TIME)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    removed_at: Mapped[datetime | None] = mapped_column(_TIME)

    def describe(self) -> dict[str, Any]:
        """Return the wallet as JSON shows it."""
        key, proved = self.public_key, self.proved_at
        return {
            "id": str(self.id),
            "network": self.network,
            "address": self.address,
            "label": self.label,
            "is_primary": self.is_primary,
            "public_key": key and b64encode(key).decode(),
            "proved_at": proved and proved.isoformat(),
            "created_at": self.created_at.isoformat(),
        }
