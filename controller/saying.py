"""Say: what a cycle came to in the log, for operators when it is something new."""

from collections.abc import Hashable, Sequence
from typing import Final

import structlog

from controller.classic import alarms
from domain.scaling import ControllerAction
from domain.workload import HostLoad

_log = structlog.get_logger()

_HELD: Final = "held, "


class Saying:
    """What was said last, so that nothing is said again in each cycle."""

    def __init__(self) -> None:
        self._said: dict[str, Hashable] = {}
        self._alarms: set[str] = set()

    def decided(self, actions: Sequence[ControllerAction]) -> None:
        """Say each decision; every size that was told counts as new."""
        for action in actions:
            gist = _gist(action)
            new = gist != self._said.get(action.worker_group)
            self._said[action.worker_group] = gist
            says = _log.info if new or action.ordered is not None else _log.debug
            says("decided", mode=action.mode, sentence=action.sentence)

    def host(self, host: HostLoad | None) -> None:
        """Say which of its resources are nearly used up, whatever the policy does."""
        found = {one.partition(" ")[0]: one for one in alarms(host)} if host else {}
        for what in found.keys() - self._alarms:
            _log.warning("alarm", sentence=found[what])
        self._alarms = set(found)


def _gist(action: ControllerAction) -> Hashable:
    """Return what makes a sentence another one; its figures differ in every cycle."""
    holds = action.reason.startswith(_HELD)
    # Where nobody knows the size, why is all there is to say.
    why = action.reason if action.current is None else None
    said = action.mode, action.current, action.desired, action.order_id
    return *said, holds, why
