"""A PostgreSQL cluster on disk: made once, whole or not at all."""

import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import click

from cli.processes import identity

SUPERUSER: Final = "postgres"
_INITDB_SECONDS: Final = 120
# PostgreSQL refuses to run as root. An account every system has is used then, so
# that none is created.
_UNPRIVILEGED: Final = "nobody"
# Same order of text on every machine, whatever its locales.
_LOCALE: Final = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


class ClusterNotMade(click.ClickException):
    """A new cluster could not be made."""


def server_account() -> str | None:
    """Return the account PostgreSQL must run as; None for our own."""
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def ensure_cluster(folder: Path, *, programs: Path) -> str:
    """Make the cluster unless it is there, and return its superuser's password."""
    user = server_account()
    password_file = folder.with_suffix(".password")
    if user is not None:
        package = programs.parent.parent
        _let_pass(folder)
        _let_read(package)
        _let_read(package.with_suffix(".libs"))
    if not folder.exists():
        password = secrets.token_urlsafe(24)
        fresh = folder.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        _give(fresh, user)
        _initdb(fresh, password, programs=programs, user=user)
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        fresh.rename(folder)
    return password_file.read_text()


def _initdb(folder: Path, password: str, *, programs: Path, user: str | None) -> None:
    with tempfile.NamedTemporaryFile("w") as secret:
        secret.write(password)
        secret.flush()
        _give(Path(secret.name), user)
        made = subprocess.run(
            [
                programs / "initdb",
                f"--pgdata={folder}",
                f"--username={SUPERUSER}",
                f"--pwfile={secret.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                *_LOCALE,
            ],
            cwd="/",
            capture_output=True,
            check=False,
            text=True,
            timeout=_INITDB_SECONDS,
            **identity(user),
        )
    if made.returncode:
        raise ClusterNotMade(f"PostgreSQL's initdb failed:\n{made.stderr.strip()}")


def _give(path: Path, user: str | None) -> None:
    if user is not None:
        os.chown(path, pwd.getpwnam(user).pw_uid, -1)


def _let_pass(path: Path) -> None:
    """Let other accounts walk to the path, not list what lies beside it."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _let_read(folder: Path) -> None:
    """Let other accounts run, not change, what was installed under a private umask."""
    _let_pass(folder)
    if not folder.exists() or folder.stat().st_mode & stat.S_IXOTH:
        return
    for path in (*folder.rglob("*"), folder):  # itself last: it says that all is done
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | (mode & (stat.S_IRUSR | stat.S_IXUSR)) >> 6)
