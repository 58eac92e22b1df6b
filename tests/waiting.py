"""Wait for what happens elsewhere: look again until it is so, or say it was not."""

import time

LOOK_SECONDS = 0.01


def eventually(condition, *, within=10.0):
    """Return the first true answer; fail when there is none in that many seconds."""
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not so within {within} s"
        time.sleep(LOOK_SECONDS)
    return answer
