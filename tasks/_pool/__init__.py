"""The pool: forks this host's workers and beat, and keeps as many as it is told to.

What every worker imports is imported once, here; a fork of it is a worker a third of a
second later, in half the memory. One thread, because a fork among threads may
deadlock, and because the kernel's signal to orphans follows the thread.
"""

from tasks._pool.listening import Refused
from tasks._pool.pool import SIZE_MAX, Pool
from tasks._pool.programs import Programs

__all__ = ["SIZE_MAX", "Pool", "Programs", "Refused"]
