"""gunicorn's own events among ours."""

import os
from typing import Any

from gunicorn import glogging

from logconfig import configure


class Log(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own events, in the shape of all others."""

    def setup(self, cfg: Any) -> None:  # noqa: ARG002  gunicorn's signature
        """Hand gunicorn's events to the root logger."""
        configure(
            level=os.environ.get("LOG_LEVEL") or "INFO",
            style=os.environ.get("LOG_FORMAT") or "auto",
        )
        self.error_log.propagate = True

    def access(self, *_arguments: Any) -> None:
        """Leave it to the applications, each of which knows what is worth a line."""
