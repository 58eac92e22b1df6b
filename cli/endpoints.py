"""`endpoints.json`: where a running `coin up` is found, for people and programs."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import click

_NAME: Final = "endpoints.json"
DATA: Final = Path(".data")

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA,
    show_default=True,
    help="Directory `coin up` runs in.",
)


@dataclass(kw_only=True)
class Endpoints:
    """Addresses, keys and processes of one running stack."""

    api: str | None = None
    database: str | None = None
    redis: str | None = None
    flower: str | None = None
    observer: str | None = None
    workers: str | None = None  # the socket where their pool is told
    key: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Replace the file as a whole; only its owner may read the keys in it."""
        write_private(folder / _NAME, json.dumps(asdict(self), indent=2) + "\n")


def read(folder: Path) -> Endpoints:
    """Return what runs in a directory; everything is None when nothing does."""
    try:
        return Endpoints(**json.loads((folder / _NAME).read_text()))
    except FileNotFoundError:
        return Endpoints()
    except (ValueError, TypeError) as error:
        raise click.ClickException(
            f"{folder / _NAME} is damaged ({error}); delete it and run `coin up` again"
        ) from None


def remove(folder: Path) -> None:
    """Say that nothing runs here any more."""
    (folder / _NAME).unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, for its owner's eyes."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
