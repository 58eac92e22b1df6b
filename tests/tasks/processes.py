"""Programs of the product's own, each in a process group of its own."""

import os
import signal
from contextlib import ExitStack, contextmanager

from cli.processes import Program
from tests.databases import ROOT


@contextmanager
def running(log, **environment):
    """Yield a function that runs a command; what still runs at the end is killed."""
    with log.open("ab") as output, ExitStack() as started:

        def run(command, **more):
            program = Program(
                role=command[-1],
                command=command,
                folder=ROOT,
                environment={**environment, **more},
            )
            process = program.start(output)
            started.callback(kill, process)
            return process

        yield run


def kill(process):
    """Kill a process and all its children, as a host that loses power does."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
