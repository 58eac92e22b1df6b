"""`python -m api.observer`: the node in the foreground, until SIGTERM or Ctrl-C."""

import os
import sys

from api.observer.settings import read_settings
from domain.settings import InvalidSettings


def main() -> None:
    """Become gunicorn with the node's settings."""
    try:
        read_settings(os.environ)  # faults are for people, before they become a crash
    except InvalidSettings as error:
        sys.exit(str(error))
    command = [
        *(sys.executable, "-m", "gunicorn"),
        *("--config", "python:api.observer.server"),
        "api.observer.server:application()",
    ]
    os.execv(command[0], command)  # noqa: S606  becomes the server


if __name__ == "__main__":
    main()
