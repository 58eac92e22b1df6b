"""`python -m bench.controllers`: every policy on every shape, as lines or as a page."""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

from bench.controllers import page, ratings
from bench.controllers.plays import POLICIES, Figures, play
from bench.controllers.shapes import SHAPES

STARTS = (1.0, 30.0)
SEEDS = 3


class Asked(NamedTuple):
    """One policy on one shape, or on the ratings of a file."""

    start: float
    shape: str
    policy: str
    seeds: int
    ratings: Path | None

    def figures(self) -> Figures:
        """Play it with each seed."""
        seeds = range(1, self.seeds + 1)
        if self.ratings is not None:
            path = self.ratings
            runs = [ratings.play(self.policy, path, self.start, seed) for seed in seeds]
        else:
            runs = [play(self.policy, self.shape, self.start, seed) for seed in seeds]
        return Figures.of(runs)


def main() -> None:
    """Print the figures as they come; write the page when it was asked for."""
    chosen = _arguments()
    if chosen.write and (chosen.policy or chosen.shape or chosen.start):
        raise SystemExit("--write needs every policy, shape and start")
    asked = list(_asked(chosen))
    found: page.Found = {}
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for one, figures in zip(
            asked, processes.map(Asked.figures, asked), strict=True
        ):
            found[one.start, one.shape, one.policy] = figures
            print(f"{one.start:4g} s  {one.shape:<13} {one.policy:<18}", end="")
            print(f" {page.cell(figures)}", flush=True)
    if chosen.write:
        print(page.write(found, seeds=chosen.seeds), "written")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.controllers")
    parser.add_argument("--start", type=float, action="append")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--policy", action="append", choices=list(POLICIES))
    parser.add_argument("--shape", action="append", choices=list(SHAPES))
    parser.add_argument(
        "--ratings", type=Path, help="the ratings of bench/controllers/ratings.py too"
    )
    parser.add_argument("--write", action="store_true", help=f"write {page.PATH.name}")
    return parser.parse_args()


def _asked(chosen: argparse.Namespace) -> Iterator[Asked]:
    starts, policies = chosen.start or STARTS, chosen.policy or POLICIES
    for start, shape, policy in product(starts, chosen.shape or SHAPES, policies):
        yield Asked(start, shape, policy, chosen.seeds, None)
    if chosen.ratings is not None:
        for start, policy in product(starts, policies):
            yield Asked(start, page.RATINGS, policy, chosen.seeds, chosen.ratings)


if __name__ == "__main__":
    main()
