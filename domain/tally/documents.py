"""Result documents: plain data, exact figures, one way to write them as bytes."""

import json
from typing import Any, Final

Document = dict[str, Any]

_JSON: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":")
)


def canonical(document: Any) -> bytes:
    """Return the one way to write a document: keys in order, no blanks, UTF-8."""
    return _JSON.encode(document).encode()


def decimal(units: int, places: int) -> str:
    """Return units of 1/10^places as a decimal number."""
    whole, part = divmod(units, 10**places)
    return f"{whole}.{part:0{places}}" if places else str(whole)


def decimals(units: dict[str, int], places: int) -> dict[str, str]:
    """Return every option's units as a decimal number."""
    return {option: decimal(count, places) for option, count in units.items()}


def listed(names: list[str]) -> str:
    """Return names as a sentence has them."""
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"
