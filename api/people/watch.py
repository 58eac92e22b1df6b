"""The seam for whoever slows down guessing: told of every password that is shown."""

from typing import Protocol


class LoginWatch(Protocol):
    """Is told who tries; may raise a problem before the password is looked at."""

    def before(self, username: str, address: str) -> None:
        """Refuse to look at the password, or return."""

    def failed(self, username: str, address: str) -> None:
        """Take note of a wrong password, or of a name nobody has."""

    def succeeded(self, username: str, address: str) -> None:
        """Take note of a right one."""
