"""A Deployment and its pods, in the few words that sizing needs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

# Of two pods that are as ready, the one of less is ended first.
DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
# More than any worker has jobs.
_UNKNOWN: Final = 1_000_000


class Changed(Exception):
    """Somebody else changed an object after it was read."""


class Deployment(NamedTuple):
    """A namespace, and a Deployment's name in it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class State(NamedTuple):
    """What a Deployment was told, what has come of it, and what is wrong with it."""

    size: int
    ready: int
    troubles: Sequence[str]


class Scale(NamedTuple):
    """What a Deployment was told, which its pods are, and the version that says so."""

    size: int
    selector: str
    version: str


class Pod(NamedTuple):
    """A pod that nobody has told to end; of two, the one of less cost ends first."""

    name: str
    created: datetime
    cost: str | None


def deployments_of(text: str) -> dict[str, Deployment]:
    """Return each group's Deployment, as CONTROLLER_DEPLOYMENTS names them."""
    named = (part.strip().partition("=") for part in text.split(",") if part)
    return {group: Deployment(*where.split("/")) for group, _, where in named}


def costs(pods: Sequence[Pod], busy: Mapping[str, int]) -> list[str]:
    """Return what it costs to end each pod: its jobs; of the idle, the newest least.

    A pod that no heartbeat tells of is not idle: nobody knows what it does.
    """
    idle = sorted(
        (pod for pod in pods if busy.get(pod.name) == 0),
        key=lambda pod: (pod.created, pod.name),
    )
    cost = {pod.name: -number for number, pod in enumerate(idle, 1)}
    return [str(cost.get(pod.name) or busy.get(pod.name, _UNKNOWN)) for pod in pods]
