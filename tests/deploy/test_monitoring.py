"""Prometheus' rules, the dashboard and the documentation, against what is really told.

Whoever misspells a metric is told nothing, and no alert ever fires: so each is asked of
the registries of our own processes.
"""

import ast
import json
import re
import shutil
import subprocess
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
import yaml

import celeryconfig
from cli import main
from tests.deploy import registries
from tests.deploy.promql import Known
from tests.deploy.registries import Row

ROOT = Path(celeryconfig.__file__).parent
PROMETHEUS = ROOT / "deploy/prometheus"
GRAFANA = ROOT / "deploy/grafana"
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
METRICS = (ROOT / "docs/metrics.md").read_text()
# Name, type, labels, who tells it, and its meaning.
ROW = re.compile(r"^\| `(coin_\w+)` \| (\w+) \| (.*) \| (.*) \| (.*) \|$", re.MULTILINE)
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
GROUPS = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in RULES if "record" in rule}
ADDED = re.compile(r"\$labels\.(\w+)")
SHOWN = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def dashboard(path):
    return json.loads(path.read_text())


PANELS = [
    pytest.param(panel, id=f"{path.stem}: {panel['title']}")
    for path in DASHBOARDS
    for panel in dashboard(path)["panels"]
    if panel["type"] != "row"
]


@pytest.fixture(scope="module")
def known(told):
    """All there is to ask for: what is told, and what rules record of it, in order."""
    known = Known()
    counted, waiting = told["api"]
    known.add(counted, words=words("api"))
    for registry in (waiting, *told["workers"], *told["controller"]):
        known.add(registry)
    known.values["up", "job"] = {job["job_name"] for job in config()["scrape_configs"]}
    for name, rule in RECORDED.items():
        known.record(name, rule["expr"])
    return known


def words(layer):
    """Return every text in a layer's code."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / layer).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    constants = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return {value for value in constants if isinstance(value, str)}


def config():
    return yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())


def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


# Rules


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_asks_for_what_is_told_and_shows_what_it_gets(known, name):
    alert = ALERTS[name]
    labels = known.answer(alert["expr"])

    shown = set(ADDED.findall(" ".join(alert["annotations"].values())))
    assert shown <= labels


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_recorded_is_named_for_its_labels(known, name):
    level, *rest = name.split(":")
    labels = known.answer(RECORDED[name]["expr"])

    assert labels == (set(level.split("_")) if len(rest) == 2 else set())


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(name):
    alert = ALERTS[name]

    assert alert["labels"] == {"severity": alert["labels"]["severity"]}
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("sum(rate(coin_job_total[5m]))", "no metric coin_job_total"),
        ("sum by (kinds) (coin_jobs_total)", "kinds"),
        ('coin_jobs_total{outcome="fail"}', "none of these values"),
        ('coin_submissions_total{outcome="acepted"}', "none of these values"),
        ('coin_jobs_total{result="failed"}', "no label result"),
        ("histogram_quantile(0.9, sum(coin_batch_jobs_bucket))", "needs le"),
        ("coin_workers > on (queue) coin_queue_oldest_seconds", "both need"),
        ("coin_workers > coin_queue_oldest_seconds", "never match"),
        ("sum by (queue (x)", "parenthesis"),
    ],
)
def test_what_is_misspelt_is_found(known, expression, wrong):
    with pytest.raises((AssertionError, ValueError), match=re.escape(wrong)):
        known.answer(expression)


promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="no promtool on this machine"
)


@promtool
def test_prometheus_accepts_its_configuration():
    subprocess.run(
        ["promtool", "check", "config", PROMETHEUS / "prometheus.yml"], check=True
    )


@promtool
def test_alerts_fire_when_they_should_and_only_then():
    subprocess.run(
        ["promtool", "test", "rules", ROOT / "tests/deploy/rules.test.yml"], check=True
    )


def test_every_alert_has_a_case_in_which_it_fires():
    tests = yaml.safe_load((ROOT / "tests/deploy/rules.test.yml").read_text())["tests"]
    asked = [
        (re.search(r'alertname=~?"([^"]+)"', case["expr"]), case["exp_samples"])
        for test in tests
        for case in test["promql_expr_test"]
    ]
    fired = {
        alert
        for alert in ALERTS
        for pattern, expected in asked
        if pattern and re.fullmatch(pattern[1], alert)
        # Named in what is expected, or one of so many.
        if any(alert in sample["labels"] or sample["value"] > 1 for sample in expected)
    }

    assert fired == set(ALERTS)


# The runbook


def entries():
    """Return the runbook's entries by their heading."""
    _, *found = re.split(r"^## (\w+)\n", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2], strict=True))


def test_every_alert_has_an_entry_and_every_entry_an_alert():
    assert list(entries()) == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_entry_says_what_it_means_what_to_look_at_and_what_to_do(name):
    said = re.findall(r"^\*\*(\w[\w ]+)\*\* ", entries()[name], re.MULTILINE)

    assert said == ["It means", "Look at", "Do"]


def test_commands_of_the_runbook_exist():
    commands = re.findall(r"`coin (\w+)|^coin (\w+)", RUNBOOK, re.MULTILINE)
    named = {one or other for one, other in commands}

    assert named >= {"controller", "doctor", "worker"}
    assert named <= set(main.commands)


def test_links_within_the_documentation_lead_somewhere():
    anchors = {name.lower() for name in entries()}
    for target in re.findall(r"\]\(([^)#]*)#?[^)]*\)", RUNBOOK + METRICS):
        assert (ROOT / "docs" / target).exists(), target
    assert set(re.findall(r"\]\(#(\w+)\)", RUNBOOK)) <= anchors


def test_events_of_the_log_that_the_runbook_names_are_logged():
    layers = ("api", "controller", "tasks")
    code = "".join(
        path.read_text() for one in layers for path in (ROOT / one).rglob("*.py")
    )
    events = re.findall(r"`([a-z]+_[a-z_]+)`", RUNBOOK)
    # Settings of the database server, and modes and states of ours.
    others = {"max_connections", "shared_buffers"}
    # Of the loop that leads, which is a module of its own.
    others |= {"standing_by"}

    assert [e for e in events if f'"{e}"' not in code and e not in others] == []


# The dashboard


def test_there_is_one_for_operators():
    assert [path.name for path in DASHBOARDS] == ["operators.json"]
    found = dashboard(DASHBOARDS[0])
    assert (found["uid"], found["schemaVersion"]) == ("coin-operators", 42)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_what_is_told_and_names_what_it_gets(known, panel):
    for target in panel["targets"]:
        labels = known.answer(target["expr"])
        assert set(SHOWN.findall(target["legendFormat"])) <= labels


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit(panel):
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_the_data_source_that_is_chosen(panel):
    letters = [target["refId"] for target in panel["targets"]]
    sources = [panel["datasource"], *(t["datasource"] for t in panel["targets"])]

    assert letters == sorted(set(letters))
    assert all(s == {"type": "prometheus", "uid": "${datasource}"} for s in sources)


def test_the_data_source_is_the_one_that_is_provisioned():
    (chosen,) = dashboard(DASHBOARDS[0])["templating"]["list"]
    source = GRAFANA / "provisioning/datasources/prometheus.yml"
    (provisioned,) = yaml.safe_load(source.read_text())["datasources"]

    assert (chosen["name"], chosen["query"]) == ("datasource", provisioned["type"])
    assert chosen["current"]["value"] == provisioned["uid"] == "coin-prometheus"


def test_panels_lie_beside_one_another():
    panels = dashboard(DASHBOARDS[0])["panels"]
    places = [panel["gridPos"] for panel in panels]

    assert max(Counter(panel["id"] for panel in panels).values()) == 1
    assert all(0 <= place["x"] <= 24 - place["w"] for place in places)
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), (one, other)


def test_what_alerts_are_about_is_on_it():
    text = DASHBOARDS[0].read_text()
    shown = text + "".join(r["expr"] for name, r in RECORDED.items() if name in text)
    asked = {
        name
        for alert in ALERTS.values()
        for name in re.findall(r"(?<![:\w])coin_\w+(?![:\w])", alert["expr"])
    }

    assert [name for name in asked if name not in shown] == []


# How they are run


def test_compose_asks_the_ports_that_the_processes_have():
    services = compose()["services"]
    environment = services["web"]["environment"]
    asked = {
        job["job_name"]: (source["port"], set(source["names"]))
        for job in config()["scrape_configs"]
        for source in job["dns_sd_configs"]
    }

    assert asked == {
        "api": (8000, {"web"}),
        "workers": (int(environment["METRICS_PORT_WORKERS"]), {"worker", "outbound"}),
        "controller": (int(environment["METRICS_PORT_CONTROLLER"]), {"controller"}),
    }
    assert asked["api"][1] | asked["workers"][1] <= set(services)


def test_what_watches_starts_only_when_asked_for_and_only_this_host_sees_it():
    for name in ("prometheus", "grafana"):
        service = compose()["services"][name]
        assert service["profiles"] == ["monitoring"]
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_what_is_provisioned_is_mounted_where_it_is_looked_for():
    service = compose()["services"]["grafana"]
    mounted = dict(volume.split(":")[1::-1] for volume in service["volumes"])
    provider = GRAFANA / "provisioning/dashboards/coin.yml"
    (looked,) = yaml.safe_load(provider.read_text())["providers"]
    home = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])

    assert mounted["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    folder = ROOT / mounted[looked["options"]["path"]]
    assert (folder / home.name).exists()
    assert str(home.parent) == looked["options"]["path"]


# docs/metrics.md


def test_every_metric_is_documented_as_it_is_told(told):
    written = {}
    for name, kind, labels, tellers, meaning in ROW.findall(METRICS):
        named = tuple(re.findall(r"`(\w+)`", labels))
        written[name] = (Row(name, kind, named, meaning), set(tellers.split(", ")))
    found = {}
    for teller, several in told.items():
        for row in registries.rows(several):
            found.setdefault(row.name, (row, set()))[1].add(teller)
            assert found[row.name][0] == row, "two tell it differently"

    assert written == found
