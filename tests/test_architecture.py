"""The rules of the layout, read from the source: nobody has to remember them."""

import ast
import sys
from functools import cache
from graphlib import TopologicalSorter

import pytest

from tests.databases import ROOT

LINES_A_FILE_MAX = 400
LINES_A_FUNCTION_MAX = 70

# Who may import what, beside itself and the standard library.
MAY_IMPORT = {
    "domain": {"sqlalchemy"},
    "tasks": {
        *("domain", "celeryconfig", "logconfig", "tracing"),
        *("billiard", "celery", "click", "kombu", "redis", "sqlalchemy", "structlog"),
        *("cryptography", "prometheus_client", "standardwebhooks", "urllib3"),
    },
    "api": {
        *("domain", "tasks", "logconfig", "tracing"),
        *("cryptography", "falcon", "gevent", "gunicorn", "httptools", "marshmallow"),
        *("orjson", "prometheus_client", "psycopg2", "redis", "sqlalchemy"),
        *("apispec", "argon2", "jwt", "limits", "psutil", "structlog"),
    },
    "cli": {
        *("api", "controller", "domain", "tasks", "celeryconfig", "logconfig"),
        *("alembic", "click", "kombu", "orjson", "psutil", "psycopg2", "redis"),
        *("matplotlib", "sqlalchemy"),
    },
    "controller": {
        *("domain", "celeryconfig", "logconfig"),
        *("celery", "kombu", "kubernetes", "prometheus_client", "psutil", "psycopg2"),
        *("redis", "sqlalchemy", "structlog", "urllib3"),
    },
    "migrations": {"domain", "alembic", "sqlalchemy"},
    "celeryconfig": set(),
    "flowerconfig": {"tornado"},
    "logconfig": {"orjson", "structlog"},
    "tracing": {"opentelemetry", "structlog"},
}
# Who reads the environment: where a process begins, and nowhere else.
READ_ENVIRONMENT = {
    "api/app.py",
    "api/metrics.py",
    "api/observer/__main__.py",
    "api/observer/app.py",
    "api/observer/server.py",
    "api/server.py",
    "api/server_log.py",
    "celeryconfig.py",
    "cli/database.py",
    "cli/doctor.py",
    "cli/processes.py",
    "cli/up.py",
    "controller/__main__.py",
    "migrations/env.py",
    "tasks/__init__.py",
    "tasks/_drain.py",
    "tasks/_exposition.py",
}
# Ids are in the order of time; everywhere else in the domain it is an argument.
READ_CLOCK = {"domain/ids.py"}


def files_of(layer):
    folder = ROOT / layer
    found = folder.rglob("*.py") if folder.is_dir() else [ROOT / f"{layer}.py"]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


FILES = [file for layer in MAY_IMPORT for file in files_of(layer)]


@cache
def tree_of(file):
    return ast.parse((ROOT / file).read_text(), file)


def nodes(file, *kinds):
    return [node for node in ast.walk(tree_of(file)) if isinstance(node, kinds)]


def imported(file):
    """Return the full names a file imports, wherever in it."""
    names = set()
    for node in nodes(file, ast.Import, ast.ImportFrom):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            assert not node.level, f"{file}: relative imports are not used"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def used(file):
    """Return the dotted names a file reads, such as os.environ."""
    return {
        f"{node.value.id}.{node.attr}"
        for node in nodes(file, ast.Attribute)
        if isinstance(node.value, ast.Name)
    } | imported(file)


def called(file):
    """Return the last name of everything a file calls."""
    functions = [node.func for node in nodes(file, ast.Call)]
    return {
        function.attr if isinstance(function, ast.Attribute) else function.id
        for function in functions
        if isinstance(function, ast.Attribute | ast.Name)
    }


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_is_below_it(layer):
    found = {
        name.partition(".")[0] for file in files_of(layer) for name in imported(file)
    }

    assert found - sys.stdlib_module_names - {layer} <= MAY_IMPORT[layer]


def test_every_python_file_of_the_product_belongs_to_a_layer():
    others = {"tests", "bench", "docs"}
    found = {
        path.relative_to(ROOT).parts[0].removesuffix(".py")
        for pattern in ("*.py", "[a-z]*/**/*.py")
        for path in ROOT.glob(pattern)
    }

    assert found - others == MAY_IMPORT.keys()


def test_no_module_of_a_layer_imports_itself_by_a_detour():
    modules = {
        file.removesuffix(".py").removesuffix("/__init__").replace("/", "."): file
        for file in FILES
    }

    def module_of(name):
        return name if name in modules else name.rpartition(".")[0]

    graph = {
        module: {module_of(name) for name in imported(file)} & modules.keys() - {module}
        for module, file in modules.items()
    }
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("file", FILES)
def test_transactions_end_where_they_were_begun(file):
    assert not called(file) & {"commit", "rollback"}


def test_the_environment_is_read_where_processes_begin():
    readers = {
        file for file in FILES if used(file) & {"os.environ", "os.getenv", "os.putenv"}
    }

    assert readers == READ_ENVIRONMENT


def test_the_domain_is_told_the_time():
    clocks = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    clocks |= {"time.time", "time.time_ns", "time.monotonic", "time.sleep"}
    readers = {file for file in files_of("domain") if used(file) & clocks}

    assert readers == READ_CLOCK


@pytest.mark.parametrize(
    "file",
    [
        *files_of("domain/ledger"),
        *files_of("domain/apps"),
        *files_of("domain/tally"),
        "domain/content.py",
    ],
)
def test_no_float_comes_near_the_books(file):
    literals = [n.value for n in nodes(file, ast.Constant) if type(n.value) is float]

    assert literals == []
    assert "float" not in called(file)
    assert nodes(file, ast.Div) == []


@pytest.mark.parametrize("file", FILES)
def test_files_and_functions_are_short(file):
    lines = (ROOT / file).read_text().count("\n")
    functions = {
        node.name: node.end_lineno - node.lineno + 1
        for node in nodes(file, ast.FunctionDef, ast.AsyncFunctionDef)
    }

    assert lines <= LINES_A_FILE_MAX
    assert max(functions.values(), default=0) <= LINES_A_FUNCTION_MAX


def test_credits_change_in_one_place():
    """Whoever looks for it finds one function that stores balances."""
    storing = {
        file
        for file in FILES
        if any(
            isinstance(node.value, str) and "UPDATE accounts" in node.value
            for node in nodes(file, ast.Constant)
        )
    }
    inserting = {
        file
        for file in FILES
        if any(
            isinstance(node.value, str) and "INSERT INTO transfers" in node.value
            for node in nodes(file, ast.Constant)
        )
    }

    assert storing == {"domain/ledger/accounts.py"}
    assert inserting == {"domain/ledger/books.py"}
