"""The page of the comparison, docs/controller-comparison.md."""

from collections.abc import Iterable, Mapping, Sequence

from bench.controllers import peers, ratings
from bench.controllers.plays import (
    LATE_SECONDS,
    POLICIES,
    Figures,
    group,
)
from bench.stack import ROOT

PATH = ROOT / "docs" / "controller-comparison.md"
RATINGS = "ratings"

# By start-up time, shape and policy.
Found = Mapping[tuple[float, str, str], Figures]

SHAPES = {
    "steady": "20 a second",
    "step": "10, for twenty minutes 60, then 10 again",
    "spike": "10, and 150 for one minute of the hour",
    "ramp": "evenly from 5 to 80 and back",
    "cron": "8, and 100 for one minute in ten",
    "double_spike": "10, and 120 for two minutes, four apart",
    "day": "a day in an hour: from 0 to 60 and back, as a cosine",
    "slow_leak": "20; a job takes 0.2 s at first and a second at the end",
    "dead_workers": "20; at half-time three workers die, noticed a minute later",
    "slow_jobs": "5; for a minute 2, which take 10 s each",
    "trickle": "one in 50 seconds",
    "flicker": "30 and 5 by turns, each for twenty seconds",
}

FORMULAS = {
    "age (ours)": "[decision 19](decisions/0019-workers-are-sized-by-age.md) and "
    "[24](decisions/0024-chance-is-no-change.md)",
    "classic": "one more above 100 waiting or 80 % of the processor over an hour (or "
    "60 % over ten minutes and half as much again as over the hour), one less below "
    "30 % with under 10 waiting; ten minutes between two actions. The processor is "
    "taken to be used as much as the workers are",
    "HPA, processor": "[Kubernetes](https://kubernetes.io/docs/concepts/workloads/"
    "autoscaling/horizontal-pod-autoscale/): use over target, 80 % as when none is "
    "given, tolerance 0.1, every 15 s; up to the double or four more in 15 s, down to "
    "the most of 300 s. A busy worker counts as a processor fully used",
    "KEDA, list length": "[KEDA](https://keda.sh/docs/latest/scalers/redis-lists/): "
    "the length of a Redis list over 5, paced as Kubernetes does. Running jobs are in "
    "no list",
    "Airflow with KEDA": "[Airflow](https://airflow.apache.org/docs/helm-chart/stable/"
    "keda.html): queued and running over a worker's slots, one here, paced as "
    "Kubernetes does",
    "GOV.UK Notify": "[Notify](https://github.com/alphagov/"
    "notifications-paas-autoscaler): the most taken from the queue in a minute of five "
    "over what a worker does in one, set by hand (and right here), and the queue's "
    "length over 250; up at once, down by one a minute, not within 300 s of an up",
}

_PAGE = """\
# Policies side by side

What becomes of the same load when each of six policies sizes the workers. Made by

    python -m bench.controllers --seeds {seeds}{ratings} --write

which plays every policy on every shape with {seeds} seeds, in a simulation whose clock
is its own: the figures are the same on every machine. [Load of yours](#load-of-yours)
is played by `coin controller replay`.

It compares **formulas, not products**: those that each publishes, with its defaults, on
measurements that are exact and five seconds apart, and without the delays between the
parts of the real ones (metrics that arrive late, pods that are scheduled). Whoever runs
one of them has set more than its defaults.

## What was assumed

* Jobs wait in one queue, first come first served, and arrive as Poisson's events;
  a job takes {service:g} s in the mean, gamma distributed of shape 2, unless said.
* From {least} to {most} workers. One runs one job at a time, works 1 s or 30 s after it
  was asked for (a process, a pod), and finishes its job before it goes.
* An hour of the shape to learn from, and the same hour again that counts, with new
  arrivals.
* The target of ours is {target:g} s. In the tables *late* is a wait of more than
  {late:g} s.

{formulas}

The shapes, in arrivals a second; the first five are those the field was compared on
before:

{shapes}

{tables}

## Load of yours

```console
$ coin controller replay --last 24h --policy age --policy classic --png day.png
$ coin controller export --last 24h day.csv
$ coin controller replay --trace day.csv --most 12 --start 30
```

plays what the controller measured of the group `ledger`, or of another with `--group`,
in the same simulation. Least, most and target are the group's own unless they are
given; with `--last` as `CONTROLLER_BOUNDS` has them. Jobs arrive at the measured rate
of each sample and take a worker what those took that ended in it; a worker that runs
four mails at once takes a quarter of a mail's time for each. When nothing was measured
is said and left out. Lanes, and claims that grow with the queue, are not played: a
ledger that is behind catches up faster than it does here. A trace is CSV with the
columns `seconds`, `arrivals` and `service_seconds`.
"""

_TABLES = """\
## Workers that start in {start:g} s

A cell is **late · p95 · cost**: the share of jobs that waited for more than {late:g} s,
how long 95 % waited at most, and seconds of workers for a second of work.

{figures}

And how restless they were: **actions · turns**, changes of size in the hour, and the
most changes of direction in any ten minutes.

{moves}"""

_RATINGS = """\
## Arrivals as people made them

24,186 ratings that members of a community of traders gave each other from 2010 to 2016
(the public "Bitcoin Alpha" trust network; Kumar et al., ICDM 2016). Only their days are
known. Each of the 1,902 days is played in {day:g} s: 2.5 jobs a second in the mean, 43
at most, none on 255 days; a job takes {service:g} s. Nothing is learnt before.
**late · p95 · cost · actions · turns**, of all 2 h 39 min:

{figures}

What people do is less even than Poisson's events: the rate of one tick may be twice
that of the one before. With slow pods nobody is in time for all of it."""


def write(found: Found, *, seeds: int) -> str:
    """Write the page; return where it is."""
    PATH.write_text(markdown(found, seeds=seeds))
    return str(PATH.relative_to(ROOT))


def markdown(found: Found, *, seeds: int) -> str:
    """Return the page's text; of the ratings only if they were played."""
    starts = sorted({start for start, _, _ in found})
    rated = any(shape == RATINGS for _, shape, _ in found)
    tables = [_tables(found, start) for start in starts]
    if rated:
        tables.append(_ratings(found, starts))
    chosen = group(starts[0])
    return _PAGE.format(
        seeds=seeds,
        ratings=" --ratings FILE" if rated else "",
        service=chosen.service_seconds,
        least=peers.LEAST,
        most=peers.MOST,
        target=chosen.target_seconds,
        late=LATE_SECONDS,
        formulas=_table(["policy", "its formula"], FORMULAS.items()),
        shapes=_table(["shape", "of jobs"], SHAPES.items()),
        tables="\n\n".join(tables),
    )


def _tables(found: Found, start: float) -> str:
    return _TABLES.format(
        start=start,
        late=LATE_SECONDS,
        figures=_table(
            ["shape", *POLICIES],
            (
                [name, *(waits(found[start, name, policy]) for policy in POLICIES)]
                for name in SHAPES
            ),
        ),
        moves=_table(
            ["shape", *POLICIES],
            (
                [name, *(moves(found[start, name, policy]) for policy in POLICIES)]
                for name in SHAPES
            ),
        ),
    )


def _ratings(found: Found, starts: Sequence[float]) -> str:
    return _RATINGS.format(
        day=ratings.DAY_SECONDS,
        service=ratings.SERVICE,
        figures=_table(
            ["workers start in", *POLICIES],
            (
                [
                    f"{start:g} s",
                    *(cell(found[start, RATINGS, policy]) for policy in POLICIES),
                ]
                for start in starts
            ),
        ),
    )


def cell(figures: Figures) -> str:
    """Return all figures of several runs."""
    return f"{waits(figures)} · {moves(figures)}"


def waits(figures: Figures) -> str:
    """Return how late jobs were, and what it cost."""
    return f"{100 * figures.late:.1f} % · {figures.p95:.1f} s · {figures.cost:.2f}"


def moves(figures: Figures) -> str:
    """Return how often the size changed, and turned."""
    return f"{figures.actions:.0f} · {figures.turns}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
