"""What the README says is so: its commands, its examples, its table of settings."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import domain.apps
from api.openapi.document import build
from api.permissions import RULES, Rule
from bench import report
from bench.tables import tables
from cli import main
from domain.apps import applications
from domain.settings import Settings
from tasks._registry import kinds

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

TASKS_LEDGER_NAMES = (
    "from collections.abc import Sequence\n"
    "from datetime import datetime\n"
    "from sqlalchemy.orm import Session\n"
    "from domain.jobs import Claim, Outcome\n"
    "from tasks._registry import batch_job\n"
)


def block(first_line):
    """Return the README's Python block that begins with this line."""
    found = re.search(
        rf"```python\n{re.escape(first_line)}\n(.*?)```", README, re.DOTALL
    )
    assert found, first_line
    return found[1]


@pytest.fixture
def registries():
    before = dict(applications()), dict(kinds)
    yield
    domain.apps._applications.clear()
    domain.apps._applications.update(before[0])
    kinds.clear()
    kinds.update(before[1])


def test_both_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"^make (\w+) ", README, re.MULTILINE)

    assert commands == ["up", "test"]
    assert all(f"\n{command}: " in makefile for command in commands)


def test_ci_runs_the_command_the_readme_names():
    assert re.search(r"make .*\bcheck test\b", (ROOT / ".ci" / "run").read_text())


def test_every_setting_is_listed_with_its_default_and_meaning():
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| `?([^|`]*?)`? \| (.*) \|$", README, re.MULTILINE
    )
    declared = [
        (field.name.upper(), str(field.default), field.metadata["meaning"])
        for field in fields(Settings)
    ]

    assert rows == declared


def test_the_figures_are_those_of_the_report_beside_it():
    (targets,) = (one for one in tables(report.read("latest")) if one.name == "targets")

    assert [f"| {' | '.join(row)} |" for row in targets.rows] == re.findall(
        r"^\| .* \| (?:yes|missed|not measured) \|$", README, re.MULTILINE
    )


def test_every_coin_command_it_names_exists():
    named = set(re.findall(r"^\| `coin ([a-z]+)", README, re.MULTILINE))

    assert named == set(main.commands)


def test_the_application_it_shows_is_accepted(registries):
    exec(block("# domain/apps/games.py"), {"__name__": "games"})  # noqa: S102

    assert applications()["games"]["LEVEL_UNLOCK"].terms.amount == -2


def test_the_kind_of_job_it_shows_is_declared(registries):
    code = TASKS_LEDGER_NAMES + block("# tasks/ledger.py")
    exec(code, {"__name__": "tasks.ledger"})  # noqa: S102

    assert kinds["ledger.close_account"].queue == "ledger"


def test_the_queue_it_shows_is_declared(registries):
    exec(block("# tasks/reports.py"), {"__name__": "tasks.reports"})  # noqa: S102

    assert kinds["reports.summarize"].every_seconds == 3600


def test_the_route_it_shows_is_described(monkeypatch):
    names = {"__name__": "api.greetings"}
    exec(block("# api/greetings.py"), names)  # noqa: S102
    rules = {**RULES, ("GET", "/greetings"): Rule()}
    monkeypatch.setattr("api.openapi.routes.RULES", rules)

    said = build({"/greetings": names["Greetings"]()})["paths"]["/greetings"]["get"]

    assert said["summary"] == "Greet the caller"
    shown = said["responses"]["200"]["content"]["application/json"]["example"]
    assert shown == {"greeting": "Good morning"}


def test_every_file_it_links_to_exists():
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README)

    assert [path for path in linked if not (ROOT / path).exists()] == []
