"""`make faults`: every scenario in turn, and a table of what came of it."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from itertools import groupby
from pathlib import Path

from bench.faults import report, versions
from bench.faults.grounds import GROUNDS, Grounds, NoGrounds
from bench.faults.lent import SERVERS
from bench.faults.play import Row, play
from bench.faults.scenarios import SCENARIOS, Scenario
from bench.faults.virtual_host import Occupied


def main() -> None:
    """Play the scenarios asked for; fail when one of them found something."""
    options = _options()
    # As Ctrl-C, so that nothing started here is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = [one for one in SCENARIOS if _is_wanted(one, options)]
    servers: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="coin-faults-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            rows = list(_rows(wanted, folder, options, servers))
        except Occupied as reason:
            sys.exit(str(reason))
    found = report.facts(seed=options.seed, quick=options.quick, servers=servers)
    print(f"\n{report.markdown(found, rows)}")
    if not (options.only or options.poll):
        paths = report.write(found, rows, _name(options))
        print("written:", *(path.name for path in paths))
    sys.exit(not all(row.clean for row in rows))


def _rows(
    wanted: Sequence[Scenario],
    folder: Path,
    options: argparse.Namespace,
    servers: dict[str, str],
) -> Iterator[Row]:
    for name, group in groupby(wanted, key=lambda one: one.grounds):
        scenarios = list(group)
        try:
            with GROUNDS[name](folder, options.seed, os.environ) as grounds:
                servers.update(_versions(grounds))
                for scenario in scenarios:
                    row = play(
                        scenario, grounds, seed=options.seed, quick=options.quick
                    )
                    print(f"{row.seconds:5.0f} s  {report.line(row)}", flush=True)
                    yield row
        except NoGrounds as reason:
            for one in scenarios:
                yield Row(one.name, one.what, skipped=str(reason))


def _is_wanted(scenario: Scenario, options: argparse.Namespace) -> bool:
    if options.poll:
        return scenario.grounds == "polling"
    return not options.only or scenario.name in options.only


def _name(options: argparse.Namespace) -> str:
    """Return what to call the results; some scenarios want servers of our own."""
    given = any(os.environ.get(name) for name in SERVERS)
    return f"faults{'-quick' * options.quick}{'-given' * given}"


def _versions(grounds: Grounds) -> dict[str, str]:
    return {
        "postgresql": versions.postgresql(grounds.database),
        "celery": metadata.version("celery"),
        **(versions.broker(grounds.broker) if grounds.broker else {}),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what is drawn from it")
    parser.add_argument("--quick", action="store_true", help="in a minute or two")
    parser.add_argument(
        "--only",
        action="append",
        choices=[one.name for one in SCENARIOS],
        help="this scenario; may be repeated",
    )
    parser.add_argument("--poll", action="store_true", help="only those without Redis")
    parser.add_argument("--keep", type=Path, help="folder to keep data and logs in")
    return parser.parse_args()


if __name__ == "__main__":
    main()
