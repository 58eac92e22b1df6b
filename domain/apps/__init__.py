"""Applications that share the ledger: each is one enum of operations in one file.

An enum that lacks a shared operation, has one without terms, or takes another
application's name is refused while it is being defined, as a class and as a call.
"""

import importlib
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, EnumMeta
from functools import cache
from types import MappingProxyType
from typing import Any, Final, cast

SHARED_OPERATIONS: Final = (
    "DAILY_REWARD",
    "SIGNUP_CREDIT",
    "CREDIT_SPEND",
    "CREDIT_ADD",
)
# Moves whose amount the request names; every application has them undeclared.
TRANSFER: Final = "TRANSFER"
REVERSAL: Final = "REVERSAL"

# It stands in keys and addresses, where a "/" would make two names one.
_APPLICATION: Final = re.compile("[a-z][a-z0-9_-]*")


class Once(Enum):
    """How often one owner may have an operation applied."""

    PER_OWNER = "per owner"
    PER_UTC_DAY = "per UTC day"


# Compared by identity: an enum would fold members of equal terms into one.
@dataclass(frozen=True, eq=False)
class Terms:
    """What an operation is worth to its owner in credits, and who may claim it when."""

    amount: int
    once: Once | None = None
    scope: str = "ledger:spend"


_applications: dict[str, type["LedgerOperation"]] = {}


class _CompleteOperations(EnumMeta):
    """Refuse an incomplete application at definition."""

    def __call__(
        cls, value: Any, *args: Any, application: str | None = None, **kwargs: Any
    ) -> Any:
        if application is None:
            return super().__call__(value, *args, **kwargs)
        names = args[0] if args else kwargs.get("names")
        if not isinstance(names, Mapping):
            raise TypeError(f"{value}: give its operations as {{name: Terms(…)}}")
        members = _CompleteOperations.__prepare__(value, (cls,))
        for name, terms in names.items():
            members[name] = terms
        return _CompleteOperations(value, (cls,), members, application=application)

    @classmethod
    def __prepare__(  # type: ignore[override]
        metacls,  # noqa: N804  the enum module's own word
        cls: str,
        bases: tuple[type, ...],
        **_kwargs: Any,
    ) -> Any:
        return super().__prepare__(cls, bases)

    def __new__(
        metacls,
        cls: str,
        bases: tuple[type, ...],
        classdict: Any,
        application: str | None = None,
        **kwargs: Any,
    ) -> "_CompleteOperations":
        if bases != (Enum,):
            _refuse_incomplete(cls, application, classdict)
        made = super().__new__(metacls, cls, bases, classdict, **kwargs)
        if application is not None:
            _applications[application] = cast("type[LedgerOperation]", made)
        return made


def _refuse_incomplete(enum: str, application: str | None, classdict: Any) -> None:
    members = {name: classdict[name] for name in classdict._member_names}  # noqa: SLF001
    missing = [name for name in SHARED_OPERATIONS if name not in members]
    without = [
        name
        for name, terms in members.items()
        if not isinstance(terms, Terms) or type(terms.amount) is not int
    ]
    taken = [name for name in (TRANSFER, REVERSAL) if name in members]
    terms_given = list(members.values())
    aliases = [n for n, terms in members.items() if terms_given.count(terms) > 1]
    if not application or not _APPLICATION.fullmatch(application):
        raise TypeError(f"{enum}: name its application, as in application='games'")
    if application in _applications:
        raise TypeError(f"{enum}: application {application!r} is defined already")
    if missing:
        raise TypeError(f"{enum}: lacks shared operations: {', '.join(missing)}")
    if without:
        raise TypeError(f"{enum}: no amount for {', '.join(without)}; use Terms(…)")
    if taken:
        raise TypeError(f"{enum}: every application has {', '.join(taken)} already")
    if aliases:
        raise TypeError(f"{enum}: {', '.join(aliases)} share one Terms object")


class LedgerOperation(Enum, metaclass=_CompleteOperations):
    """Base of every application's operations; a member's value is its Terms."""

    @property
    def terms(self) -> Terms:
        """Return what the operation is worth and when it may be claimed."""
        return cast("Terms", self.value)


@cache
def applications() -> Mapping[str, type[LedgerOperation]]:
    """Return every application by name, loading each file of this folder once."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return MappingProxyType(_applications)
