"""Files of figures, one process each: read together, and never too many of them."""

import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

# Both are sums, so those of several processes are one by adding.
_KINDS: Final = ("counter", "histogram")
_GONE: Final = "gone"


class FigureFiles(Collector):
    """The figures of all processes that share a directory, those that ended too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def describe(self) -> Iterator[Metric]:
        """Register without reading."""
        yield from ()

    def collect(self) -> Iterable[Metric]:
        """Read every file."""
        with self._lock:
            files = [os.fspath(file) for file in self._files("*")]
            return list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]

    def fold(self) -> None:
        """Add the figures of processes that have ended to those that ended before.

        Workers come and go: each would leave two files for every look to read.
        """
        with self._lock:
            for kind in _KINDS:
                gone = [file for file in self._files(kind) if not _lives(file)]
                if len(gone) > 1:
                    _join(gone, self._folder / f"{kind}_{_GONE}.db")

    def serve(self, port: int, host: str) -> None:
        """Answer Prometheus from a thread, or raise OSError."""
        registry = CollectorRegistry()
        registry.register(self)
        start_http_server(port, host, registry)

    def _files(self, kind: str) -> Iterator[Path]:
        """Yield the files that hold something; one just made does not yet."""
        found = self._folder.glob(f"{kind}_*.db")
        return (file for file in found if file.stat().st_size)


def _lives(file: Path) -> bool:
    pid = file.stem.rpartition("_")[2]
    if pid == _GONE:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _join(files: Iterable[Path], joined: Path) -> None:
    sums: dict[str, float] = defaultdict(float)
    for file in files:
        for key, value, *_ in MmapedDict.read_all_values_from_file(os.fspath(file)):  # type: ignore[no-untyped-call]
            sums[key] += value
    new = joined.with_suffix(".new")
    new.unlink(missing_ok=True)
    written = MmapedDict(os.fspath(new))  # type: ignore[no-untyped-call]
    for key, value in sums.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    new.replace(joined)
    for file in files:
        if file != joined:
            file.unlink()
