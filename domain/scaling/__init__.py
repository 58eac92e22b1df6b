"""How many workers there should be: what was decided, done and ordered."""

from domain.scaling.keeping import (
    find,
    history,
    lead,
    order,
    orders,
    record,
    roll_up,
    since,
    withdraw,
)
from domain.scaling.record import MODES, ControllerAction, ControllerOrder

__all__ = [
    "MODES",
    "ControllerAction",
    "ControllerOrder",
    "find",
    "history",
    "lead",
    "order",
    "orders",
    "record",
    "roll_up",
    "since",
    "withdraw",
]
