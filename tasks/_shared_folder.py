"""A directory that several programs share: the last one to leave removes it."""

import fcntl
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

_TRIES: Final = 10


class NotOurs(OSError):
    """A directory of this name belongs to somebody else, or is open to others."""


class SharedFolder:
    """Held by a lock, which the kernel lets go of when a program ends in any way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._holder = os.getpid()
        for _ in range(_TRIES):
            path.mkdir(mode=0o700, exist_ok=True)
            # Unless the last of the others removed it meanwhile.
            with suppress(FileNotFoundError):
                self._descriptor = _opened(path)
                if os.path.samestat(os.fstat(self._descriptor), path.stat()):
                    return
                os.close(self._descriptor)
        raise NotOurs(f"{path} is removed as fast as it is made")

    def leave(self) -> None:
        """Let go, and remove it unless somebody else holds it."""
        if os.getpid() != self._holder:
            return  # a process that was forked meanwhile, and is not asked
        if _alone(self._descriptor):
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._descriptor)


def _opened(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    status = os.fstat(descriptor)
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) != 0o700:  # noqa: PLR2004
        os.close(descriptor)
        raise NotOurs(f"{path} is another account's, or open to others; remove it")
    if _alone(descriptor):
        # What is there was left by programs that were killed.
        for left in path.iterdir():
            left.unlink()
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _alone(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
