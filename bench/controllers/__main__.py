"""`python -m bench.controllers`: every policy on every shape, as one table."""

import argparse
from collections.abc import Callable

from bench.controllers import peers
from bench.controllers.shapes import HOUR, SHAPES
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
    "GOV.UK Notify": lambda _: peers.Notify(),
}


def group(start_seconds: float) -> Group:
    """Return the workers that all policies size."""
    return Group(
        name="jobs",
        target_seconds=2.0,
        least=peers.LEAST,
        most=peers.MOST,
        start_seconds=start_seconds,
        service_seconds=0.2,
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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--start", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--policy", action="append")
    parser.add_argument("--shape", action="append")
    chosen = parser.parse_args()
    for policy in chosen.policy or POLICIES:
        for shape in chosen.shape or SHAPES:
            for seed in range(1, chosen.seeds + 1):
                found = play(policy, shape, chosen.start, seed)
                print(
                    f"{policy:<18} {shape:<13} p95 {found.wait(0.95):7.2f} s"
                    f"  late {100 * found.late(5):6.2f} %  cost {found.cost:5.2f}"
                    f"  actions {found.actions:3d}  turns {found.turns_within(600):2d}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
