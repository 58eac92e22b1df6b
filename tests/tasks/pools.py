"""Pools in processes of their own: the application's, and one of toys."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from cli.processes import Program
from controller.targets import Unavailable
from controller.targets.local import say
from tasks._pool import Pool
from tests.databases import ROOT
from tests.waiting import eventually

START_SECONDS = 30
END_SECONDS = 40
DONE_SECONDS = 30
TOYS = ("tests.tasks.pools",)
REAL = ("tasks", "pool")
SAY_SECONDS = 10
QUIET_LOOKS = 20


def pids(members):
    return [one["pid"] for one in members]


class RunningPool:
    """A pool on a socket of the test's own, and everybody who belongs to it."""

    def __init__(self, path, command, log, **environment):
        self.path = str(path)
        self.log = Path(log)
        program = Program(
            role="pool",
            command=[sys.executable, "-m", *command],
            folder=ROOT,
            environment={"LOG_FORMAT": "json", **environment},
        )
        with self.log.open("ab") as output:
            self.process = program.start(output)

    @property
    def said(self):
        return self.log.read_text()

    def answers(self):
        assert self.process.poll() is None, self.said
        try:
            return self.ask()["pid"] == self.process.pid
        except Unavailable:
            return False

    def wait(self):
        """Wait until it answers, and all that it is to have are ready."""
        eventually(self.answers, within=START_SECONDS)
        for group in self.ask()["groups"]:
            self.wait_for(group)

    def ask(self, **sizes):
        """Ask how its members are; tell it sizes first, if any are given."""
        return say(self.path, {"sizes": sizes} if sizes else {})

    def members(self, group):
        """Return those of a group that were not told to end."""
        told = self.ask()["groups"][group]["members"]
        return [one for one in told if one["ending_for"] is None]

    def ending(self, group):
        told = self.ask()["groups"][group]["members"]
        return [one for one in told if one["ending_for"] is not None]

    def wait_for(self, group):
        """Wait until a group has the size it was told, and nobody else."""

        def complete():
            found = self.ask()["groups"][group]
            ready = [one for one in found["members"] if one["ready"]]
            return len(ready) == len(found["members"]) == found["size"]

        eventually(complete, within=START_SECONDS)
        return self.members(group)

    def busy(self, group):
        """Return those who have something in hand, told to end or not."""
        told = self.ask()["groups"][group]["members"]
        return [one for one in told if one["busy"]]

    def wait_until_quiet(self, group):
        """Wait until nobody has had anything in hand for some looks."""
        looks = iter(range(QUIET_LOOKS))

        def quiet():
            nonlocal looks
            if self.busy(group):
                looks = iter(range(QUIET_LOOKS))
            return next(looks, None) is None

        eventually(quiet, within=START_SECONDS)

    def everyone(self):
        """Every process of the pool's, however deep, and the pool itself."""
        pool = psutil.Process(self.process.pid)
        return [pool, *pool.children(recursive=True)]

    def end(self):
        """Tell it to end, and see that nobody stays."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        self.kill()

    def kill(self):
        """End all that belong to it, were it gone itself."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(END_SECONDS)


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SAY_SECONDS)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def exchange(path, line):
    """Say bytes, and return what is answered until it hangs up."""
    with connect(path) as connection:
        connection.sendall(line)
        answer = b""
        while data := connection.recv(65_536):
            answer += data
        return answer


def gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# Toys: what members may do to their pool, without the application


def calm(_name, place):
    place[1] = True
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        time.sleep(60)


def deaf(_name, place):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return calm_forever(place)


def calm_forever(place):
    place[1] = True
    while True:
        time.sleep(60)


def crash(_name, _place):
    raise SystemExit("toy: I cannot start")


if __name__ == "__main__":
    toys = {"calm": (calm, 1), "deaf": (deaf, 0), "crash": (crash, 0)}
    Pool(Path(sys.argv[1]), toys, {}).run()
