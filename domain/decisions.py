"""A controller's decision in words, for whoever shows one."""

from collections.abc import Sequence


def describe_decision(  # noqa: PLR0913  what is known of a decision
    worker_group: str,
    *,
    current: int | None,
    desired: int | None,
    reason: str,
    clamps: Sequence[str],
    result: str,
) -> str:
    """Return the decision and what came of it in one line."""
    moves = desired is not None and desired != current
    sizes = f" {current} → {desired}" if moves else f" {current}"
    # A size that nobody knows is not said.
    known = "" if current is None else sizes
    clamped = "".join(f"; {clamp}" for clamp in clamps)
    return f"{worker_group}{known}: {reason}{clamped}; {result}"
