"""The pool of workers on this host, asked and told over its socket."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any, Final

from controller.targets import Observed, Unavailable

# More of a group the pool refuses (tasks/_pool).
SIZE_MAX: Final = 100
_SECONDS: Final = 2.0
# No wait at all would mean for ever, or not even a look.
_LEAST_SECONDS: Final = 0.001
_ANSWER_BYTES_MAX: Final = 1024 * 1024
_READ_BYTES: Final = 64 * 1024
# A job may take this long; who takes longer to end is worth a word.
_LONG_SECONDS: Final = 30.0


class LocalTarget:
    """Whole workers, forked and ended by the pool (`python -m tasks pool`)."""

    name: Final = "local"
    start_seconds: Final = 1.0
    here: Final = True

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path

    def observe(self, group: str) -> Observed:
        """Return what the pool was told to have, and how many of these take jobs."""
        said = say(self._path, {})
        try:
            found = said["groups"][group]
            working = [one for one in found["members"] if one["ending_for"] is None]
            return Observed(
                size=found["size"],
                ready=sum(one["ready"] for one in working),
                notes=tuple(_notes(group, found)),
            )
        except (KeyError, TypeError):
            raise Unavailable(
                f"what answers at {self._path} tells nothing of {group}; restart it, "
                "so that it is of our version, or set WORKERS_SOCKET to the pool"
            ) from None

    def apply(self, group: str, size: int, observed: Observed) -> int:  # noqa: ARG002
        """Tell the pool a size: it forks at once, or has the idle and newest end."""
        say(self._path, {"sizes": {group: size}})
        return size

    def close(self) -> None:
        """Hold nothing: each word has a connection of its own."""


def say(path: str, words: dict[str, Any]) -> dict[str, Any]:
    """Say something to the pool that listens there; return its answer."""
    try:
        said = dict(json.loads(_exchange(path, json.dumps(words).encode() + b"\n")))
    except OSError as error:
        raise Unavailable(
            f"no pool answers at {path} ({error}); start `coin up` or "
            "`python -m tasks pool`, or set WORKERS_SOCKET to where it is"
        ) from None
    except (ValueError, TypeError):
        raise Unavailable(
            f"what answers at {path} is no pool; set WORKERS_SOCKET"
        ) from None
    if "error" in said:
        raise Unavailable(f"the pool at {path} refuses: {said['error']}")
    return said


def _exchange(path: str, line: bytes) -> bytes:
    """Say a line, and return the one that is answered, within seconds."""
    until = time.monotonic() + _SECONDS
    answer = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(path)
        connection.sendall(line)
        while not answer.endswith(b"\n") and len(answer) <= _ANSWER_BYTES_MAX:
            connection.settimeout(max(_LEAST_SECONDS, until - time.monotonic()))
            data = connection.recv(_READ_BYTES)
            if not data:
                break
            answer += data
    return answer


def _notes(group: str, found: dict[str, Any]) -> Iterator[str]:
    for one in found["members"]:
        seconds = one["ending_for"] or 0.0
        if seconds > _LONG_SECONDS:
            name, pid = one["name"], one["pid"]
            yield f"{name} (pid {pid}) has been ending for {seconds:.0f} s"
    if crashes := found["crashes"]:
        wait = found["again_in"]
        yield (
            f"{group} crashed {crashes} times in a row, the last time "
            f"{found['last_exit']}; it is started again in {wait:.0f} s"
        )
