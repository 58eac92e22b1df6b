"""Chromium without a screen, driven over its own protocol by way of two pipes."""

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ANSWER_SECONDS = 60
_STOP_SECONDS = 10
# Chromium reads from the third descriptor and writes to the fourth.
_ON_3_AND_4 = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execvp(sys.argv[3], sys.argv[3:])"
)
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--remote-debugging-pipe", "--mute-audio"),
    # Whatever a page asks for, no name but ours is found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1280,1600",
)


def program():
    """Return the browser there is, if there is one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """A running Chromium, and what it has told of the page it shows."""

    def __init__(self, folder):
        theirs_in, ours_out = map(_above, os.pipe())
        ours_in, theirs_out = map(_above, os.pipe())
        self._in, self._out = ours_in, ours_out
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _ON_3_AND_4, str(theirs_in), str(theirs_out)),
                *(program(), *_OPTIONS, f"--user-data-dir={folder}"),
            ],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest = b""
        self._numbers = itertools.count(1)
        self._session = None
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        os.close(self._out)  # its end, too
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def open(self, url):
        """Show a page in a tab of its own, and listen to all it says."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.events.clear()
        for domain in ("Network", "Log", "Runtime", "Page"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)

    def value(self, expression):
        """Return what a JavaScript expression is worth on the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True
        )
        return answer["result"].get("value")

    def photograph(self, file):
        """Keep a picture of the page."""
        taken = self.call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(taken["data"]))

    def said(self, method):
        """Return what the events of a kind said."""
        return [one["params"] for one in self.events if one.get("method") == method]

    def requested(self):
        """Return the address of everything the page asked for."""
        return [one["request"]["url"] for one in self.said("Network.requestWillBeSent")]

    def complaints(self):
        """Return what the console has that is more than a remark."""
        entries = [one["entry"] for one in self.said("Log.entryAdded")]
        calls = self.said("Runtime.consoleAPICalled")
        return [
            *(one for one in entries if one["level"] in {"error", "warning"}),
            *(one for one in calls if one["type"] in {"error", "warning", "assert"}),
            *self.said("Runtime.exceptionThrown"),
        ]

    def call(self, method, **params):
        """Ask for something and return the answer; events are kept."""
        number = next(self._numbers)
        asked = {"id": number, "method": method, "params": params}
        if self._session is not None:
            asked["sessionId"] = self._session
        os.write(self._out, json.dumps(asked).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_SECONDS
        while (heard := self._next(deadline)).get("id") != number:
            self.events.append(heard)
        assert "error" not in heard, heard
        return heard["result"]

    def _next(self, deadline):
        while b"\0" not in self._rest:
            left = max(0, deadline - time.monotonic())
            assert select.select([self._in], [], [], left)[0], "the browser is silent"
            read = os.read(self._in, 2**20)
            assert read, "the browser has ended"
            self._rest += read
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)


def _above(descriptor):
    """Return a descriptor as one that is neither 3 nor 4."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved
