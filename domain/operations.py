"""The operations table, which transfers reference, against the enums in code."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.apps import REVERSAL, TRANSFER, applications
from domain.db import Base
from domain.schema import DatabaseDiffers


class Operation(Base):
    """One operation of one application; retired ones stay for their transfers."""

    __tablename__ = "operations"
    __table_args__ = (sa.UniqueConstraint("application", "name"),)

    id: Mapped[int] = mapped_column(
        sa.SmallInteger, sa.Identity(always=True), primary_key=True
    )
    application: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    amount: Mapped[int | None] = mapped_column(sa.BigInteger)
    retired: Mapped[bool] = mapped_column(server_default=sa.false())


class OperationsDiffer(DatabaseDiffers):
    """The operations in code are not those of the database."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a migration must do for one operation; None: it is not there."""

    application: str
    name: str
    before: int | None
    after: int | None
    was: bool
    becomes: bool

    def __str__(self) -> str:
        """Say the difference in words."""
        what = f"{self.application}.{self.name}"
        if not self.was:
            return f"{what} ({self.after}) is in code and not in the database"
        if not self.becomes:
            return f"{what} is in the database and not in code"
        return f"{what} is {self.before} in the database and {self.after} in code"


def declared(application: str) -> Mapping[str, int | None]:
    """Return the application's operations as code has them, with their amounts."""
    enum = applications()[application]
    amounts: dict[str, int | None] = {m.name: m.terms.amount for m in enum}
    return {**amounts, TRANSFER: None, REVERSAL: None}


def changes(session: Session) -> list[Change]:
    """Return every difference between code and table, by application and name."""
    stored = {
        (row.application, row.name): row.amount
        for row in session.scalars(sa.select(Operation).where(~Operation.retired))
    }
    wanted = {
        (application, name): amount
        for application in applications()
        for name, amount in declared(application).items()
    }
    return [
        Change(*key, stored.get(key), wanted.get(key), key in stored, key in wanted)
        for key in sorted(stored.keys() | wanted.keys())
        if key not in stored or key not in wanted or stored[key] != wanted[key]
    ]


def differences(session: Session) -> list[str]:
    """Return the differences between code and table in words; empty when none."""
    return [str(change) for change in changes(session)]


def require_agreement(session: Session) -> None:
    """Raise OperationsDiffer, with the way out, unless code and table agree."""
    if found := differences(session):
        raise OperationsDiffer(
            "; ".join(found) + ". Run `coin operations migrate`, then `coin migrate`."
        )
