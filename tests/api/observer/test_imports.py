"""The node imports nothing that writes: read from the source, and from a process."""

import ast
import json
import re
import subprocess
import sys
from functools import cache

import pytest

from tests.databases import ROOT

LAYERS = ("api", "cli", "controller", "domain", "tasks")
BESIDE = ("celeryconfig", "logconfig", "tracing")

# All of the product that the node is made of, beside its own files.
SHARED = {
    *("api", "api.addresses", "api.arrival", "api.connection", "api.credentials"),
    *("api.errors", "api.permissions", "api.router", "api.security", "api.server_log"),
    *("api.together", "api.token_claims", "api.worker"),
    *("domain", "domain.db", "domain.decisions", "domain.errors", "domain.ids"),
    *("domain.key_texts", "domain.networks", "domain.principals", "domain.settings"),
    "logconfig",
}
# Of those it could have used, some that write.
WRITERS = {
    *("api.authentication", "api.intake", "api.people.login", "api.tokens"),
    *("domain.audit_events", "domain.blocklist", "domain.keys", "domain.logins"),
    *("domain.roles", "domain.signing_keys", "domain.users", "domain.jobs.submission"),
    *("domain.ledger.books", "domain.scaling.keeping", "domain.workers.presence"),
    *("domain.workload.keeping", "domain.webhooks.outbox", "tasks._drain"),
}
CLIENTS_OF_OTHERS = {"celery", "kombu", "redis", "marshmallow", "prometheus_client"}

STATEMENT = re.compile(
    r"\b(?:INSERT INTO|UPDATE \w+\s+SET|DELETE FROM|TRUNCATE|(?:CREATE|ALTER|DROP)"
    r" (?:TABLE|ROLE|DATABASE)|NOTIFY|pg_notify)\b"
)
# What is asked of these, by these names, writes.
CALLED = re.compile(
    r"(?:.*[._])?(?:sa|postgresql|sessions?|store|connection|engine)(?:\(\))?"
)
CALLS = {"insert", "update", "delete", "merge", "add", "add_all", "flush", "begin"}


def modules():
    found = {}
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return {**found, **{name: ROOT / f"{name}.py" for name in BESIDE}}


MODULES = modules()


@cache
def nodes(module):
    return list(ast.walk(ast.parse(MODULES[module].read_text())))


def imported(module):
    """Return the modules of the product that one imports, wherever in it."""
    names = set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    # Whoever imports a.b.c imports a and a.b, too; c may be a name in a.b.
    return {
        ".".join(parts[:length])
        for parts in (name.split(".") for name in names)
        for length in range(1, len(parts) + 1)
    } & MODULES.keys()


def closure(*begun):
    found, left = set(), set(begun)
    while left:
        found |= left
        left = set().union(*map(imported, left)) - found
    return found


def writes(module):
    """Say whether a module has a statement or a call that writes."""
    for node in nodes(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if STATEMENT.search(node.value):
                return True
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = ast.unparse(node.func.value)
            if node.func.attr in CALLS and CALLED.fullmatch(of):
                return True
    return False


OWN = {name for name in MODULES if name.startswith("api.observer")}


def test_the_node_is_made_of_its_own_files_and_these():
    assert len(OWN) > 8
    assert closure(*OWN) - OWN == SHARED


def test_it_imports_no_task_and_nothing_that_accepts_a_write():
    found = closure(*OWN)

    assert not {name for name in found if name.split(".")[0] in {"tasks", "cli"}}
    assert not {"api.app", "api.intake", "api.submissions"} & found


@pytest.mark.parametrize("module", sorted(closure(*OWN)))
def test_no_part_of_it_writes(module):
    assert not writes(module)


def test_what_writes_is_recognized():
    """What makes the test above mean something."""
    assert {name for name in WRITERS if not writes(name)} == set()


def test_a_running_node_has_loaded_no_more_than_that():
    code = (
        "import json, sys; import api.observer.app, api.observer.server, api.worker;"
        "api.observer.app.create_observer(api.observer.app.read_settings("
        "{'DATABASE_URL': 'postgresql://nobody/nothing'}));"
        "print(json.dumps(sorted(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    loaded = set(json.loads(said))

    ours = {name for name in loaded if name.split(".")[0] in {*LAYERS, *BESIDE}}
    assert ours - OWN <= SHARED
    assert not CLIENTS_OF_OTHERS & loaded
