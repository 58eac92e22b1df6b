"""What to know of a run beside its figures: code, host, versions, settings."""

import os
import platform
import subprocess
from dataclasses import fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from bench.stack import ROOT, Stack
from cli.servers import redis_client
from domain.settings import Settings

_REDIS_SECONDS = 5.0
_POSTGRESQL = (
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "shared_buffers",
    "max_wal_size",
    "wal_compression",
    "checkpoint_timeout",
)
_LIBRARIES = (
    *("falcon", "gunicorn", "gevent", "celery", "kombu"),
    *("sqlalchemy", "psycopg2-binary", "redis"),
)


def collect(stack: Stack) -> dict[str, Any]:
    """Return everything about the run that is not a figure."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "postgresql": stack.value("SHOW server_version"),
        "redis": _redis(stack),
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        "settings": {name: stack.value(f"SHOW {name}") for name in _POSTGRESQL},
        "variables": _variables(stack),
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _redis(stack: Stack) -> str | None:
    if not stack.redis:
        return None
    with redis_client(stack.redis, seconds=_REDIS_SECONDS) as client:
        return str(client.info("server")["redis_version"])


def _variables(stack: Stack) -> dict[str, int | str]:
    """Return the product's settings, without addresses and secrets."""
    chosen = Settings.from_environ({**os.environ, "DATABASE_URL": stack.database})
    told = [one for one in fields(chosen) if not one.metadata.get("secret")]
    return {
        one.name: getattr(chosen, one.name)
        for one in told
        if not one.name.endswith("_url")
    }
