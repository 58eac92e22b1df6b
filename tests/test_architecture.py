"""What a reviewer would have to remember: who imports whom, who commits, how long."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("api", "cli", "domain", "tasks")
CONFIGURATION = {"celeryconfig", "logconfig"}

# Ours that a layer may import; of others, the domain only SQLAlchemy.
ALLOWED = {
    "domain": {"domain"},
    "tasks": {"tasks", "domain", *CONFIGURATION},
    "api": {"api", "tasks", "domain", "logconfig"},
    "cli": {"api", "cli", "domain", "tasks", *CONFIGURATION},
}
OURS = {*LAYERS, *CONFIGURATION, "bench", "controller", "migrations", "tests"}
DOMAIN_MAY_USE = {"sqlalchemy", *sys.stdlib_module_names}
# A message broker is Celery's business, not the API's.
API_MAY_NOT_USE = {"celery", "kombu", "redis"}

READ_THE_ENVIRONMENT = {
    "api/app.py",
    "api/server.py",
    "celeryconfig.py",
    "migrations/env.py",
    "tasks/__init__.py",
    "tasks/_drain.py",
}

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70


def files(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name(path):
    return str(path.relative_to(ROOT))


def imported(path):
    """The top-level packages a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_one_way(layer):
    wrong = {
        f"{name(path)} imports {package}"
        for path in files(layer)
        for package in set(imported(path)) & OURS - ALLOWED[layer]
    }

    assert wrong == set()


def test_the_domain_uses_sqlalchemy_and_the_standard_library_alone():
    wrong = {
        f"{name(path)} imports {package}"
        for path in files("domain")
        for package in set(imported(path)) - DOMAIN_MAY_USE - {"domain"}
    }

    assert wrong == set()


def test_the_api_leaves_the_broker_to_tasks():
    wrong = {
        f"{name(path)} imports {package}"
        for path in files("api")
        for package in set(imported(path)) & API_MAY_NOT_USE
    }

    assert wrong == set()


@pytest.mark.parametrize("path", ["celeryconfig.py", "logconfig.py"])
def test_configuration_imports_no_layer(path):
    assert set(imported(ROOT / path)) & OURS == set()


def test_only_the_edge_commits_by_leaving_its_block():
    calls = [
        f"{name(path)}:{number}"
        for path in files(*LAYERS)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\.(commit|rollback)\(", line)
    ]
    opened = [
        name(path)
        for path in files("domain")
        if re.search(r"\.begin\(", path.read_text())
    ]

    assert (calls, opened) == ([], [])


def test_the_environment_is_read_where_processes_begin():
    reads = {
        name(path)
        for path in [
            *files("api", "domain", "tasks", "migrations"),
            ROOT / "celeryconfig.py",
        ]
        if re.search(r"os\.(environ|getenv)", path.read_text())
    }

    assert reads == READ_THE_ENVIRONMENT


def test_no_float_touches_credits():
    wrong = [
        f"{name(path)}:{node.lineno}"
        for path in files("domain/ledger", "domain/apps")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]

    assert wrong == []


def test_files_stay_short():
    long = {
        name(path): count
        for path in files(*LAYERS, "migrations", "bench")
        if (count := len(path.read_text().splitlines())) > FILE_LINES_MAX
    }

    assert long == {}


def test_functions_stay_short():
    long = [
        f"{name(path)}:{node.name}"
        for path in files(*LAYERS, "bench")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    ]

    assert long == []


def test_no_file_is_a_drawer_for_everything():
    drawers = {"utils", "helpers", "common", "base", "core", "manager"}

    assert [name(p) for p in files(*LAYERS) if p.stem in drawers] == []
