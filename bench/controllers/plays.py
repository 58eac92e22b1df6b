"""Plays: a policy on a shape of load, and the figures of several of them."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple

from bench.controllers import peers
from bench.controllers.shapes import HOUR, SERVICE, SHAPES
from controller.decision import Group
from controller.outcome import Outcome
from controller.replay import Replayed
from controller.simulate import Controller, simulate

POLICIES: dict[str, Callable[[Group], Controller]] = {
    "age (ours)": lambda group: Replayed("age", group),
    "classic": lambda group: Replayed("classic", group),
    "HPA, processor": lambda _: peers.Hpa(),
    "KEDA, list length": lambda _: peers.KedaLists(),
    "Airflow with KEDA": lambda _: peers.AirflowKeda(),
    "GOV.UK Notify": lambda group: peers.Notify(group.service_seconds),
}
LATE_SECONDS = 5.0
TURNS_SECONDS = 600.0


class Figures(NamedTuple):
    """What several runs came to: the means, but of turns the most."""

    late: float
    p95: float
    cost: float
    actions: float
    turns: int

    @classmethod
    def of(cls, runs: Sequence[Outcome]) -> "Figures":
        """Return the figures of these runs."""
        return cls(
            late=fmean(run.late(LATE_SECONDS) for run in runs),
            p95=fmean(run.wait(0.95) for run in runs),
            cost=fmean(run.cost for run in runs),
            actions=fmean(run.actions for run in runs),
            turns=max(run.turns_within(TURNS_SECONDS) for run in runs),
        )


def group(start_seconds: float, service_seconds: float = SERVICE) -> Group:
    """Return the workers that all policies size."""
    return Group(
        name="jobs",
        target_seconds=2.0,
        least=peers.LEAST,
        most=peers.MOST,
        start_seconds=start_seconds,
        service_seconds=service_seconds,
    )


def play(policy: str, shape: str, start_seconds: float, seed: int) -> Outcome:
    """Play a shape's hour twice: once to learn, once to be counted."""
    chosen = group(start_seconds)
    return simulate(
        [*SHAPES[shape], *SHAPES[shape]],
        POLICIES[policy](chosen),
        start_seconds=start_seconds,
        size=chosen.least,
        seed=seed,
        warm_up=HOUR,
    )
