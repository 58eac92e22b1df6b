import os
import stat

import pytest

from cli import cluster
from cli.servers import embedded_postgres

only_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root hands PostgreSQL to another account"
)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@only_root
def test_what_was_installed_privately_can_be_run_and_not_changed(folder):
    package = folder / "private" / "package"
    package.mkdir(parents=True)
    program, text = package / "program", package / "text"
    program.touch()
    text.touch()
    for path, permissions in (
        (program, 0o700),
        (text, 0o600),
        (package, 0o700),
        (package.parent, 0o700),
    ):
        path.chmod(permissions)
    cluster._let_read(package)
    assert mode(program) == 0o705
    assert mode(text) == 0o604
    assert mode(package) == 0o705
    assert mode(package.parent) == 0o701, "passed through, not listed"


@only_root
def test_a_private_home_is_no_obstacle(folder):
    folder.chmod(0o700)
    with embedded_postgres(folder / "home"):
        assert (folder / "home/postgres/cluster").owner() == "nobody"
    assert mode(folder / "home/postgres/cluster") == 0o700


def test_a_cluster_half_made_is_made_anew(folder):
    half = folder / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    with embedded_postgres(folder):
        assert not half.exists()


def test_a_failed_initdb_is_explained(folder):
    programs = folder / "package" / "server" / "bin"
    programs.mkdir(parents=True)
    initdb = programs / "initdb"
    initdb.write_text("#!/bin/sh\necho no space left >&2\nexit 1\n")
    initdb.chmod(0o755)
    with pytest.raises(cluster.ClusterNotMade, match="no space left"):
        cluster.ensure_cluster(folder / "cluster", programs=programs)
    assert not (folder / "cluster").exists()
