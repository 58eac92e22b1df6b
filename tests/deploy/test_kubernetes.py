"""What deploy/kubernetes says agrees with itself, with the code and with the image."""

import re
import shlex
import subprocess

import pytest
import yaml

import celeryconfig
from controller.targets.deployment import deployments_of
from controller.targets.kubernetes import KubernetesTarget
from domain.settings import Settings
from domain.workers import GROUPS, group_of
from tests.controller.kubernetes.api_server import serving
from tests.databases import ROOT
from tests.deploy.manifests import (
    APPLIED,
    EXAMPLE,
    NAMESPACE,
    PODS,
    SECRETS,
    environment,
    of_kind,
    selected,
)

DEPLOYMENTS = of_kind("Deployment")
SETTINGS = {name.upper() for name in Settings.__dataclass_fields__}
ROLES = {"web", "worker", "outbound", "beat", "controller", "observer"}
every_pod = pytest.mark.parametrize("document", PODS, ids=[one.id for one in PODS])


def pod_of(name):
    return next(document for document in PODS if document.name == name)


def queues(command):
    """Return the queues that a worker with this command serves."""
    named = dict(word[2:].split("=", 1) for word in command if "=" in word)
    if "queues" in named:
        return set(named["queues"].split(","))
    return set(celeryconfig.QUEUES) - set(named["exclude-queues"].split(","))


def bytes_of(quantity):
    number, unit = re.fullmatch(r"([0-9]+)([KMG])i", quantity).groups()
    return int(number) * 1024 ** (" KMG".index(unit))


# With itself


def test_there_is_a_deployment_of_every_process():
    assert set(DEPLOYMENTS) == ROLES
    assert set(of_kind("Job")) == {"migrate"}


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_deployment_has_its_own_pods_and_no_others(name):
    labels = DEPLOYMENTS[name]["spec"]["selector"]["matchLabels"]

    assert [document.name for document in selected(labels)] == [name]


def test_services_lead_to_ports_that_are_there():
    services = of_kind("Service")

    assert set(services) == {"web", "observer"}
    for name, service in services.items():
        (behind,) = selected(service["spec"]["selector"])
        ports = {port["name"] for port in behind.container["ports"]}
        assert behind.name == name
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_who_has_peers_is_never_ended_with_all_of_them():
    for name, budget in of_kind("PodDisruptionBudget").items():
        (guarded,) = selected(budget["spec"]["selector"]["matchLabels"])
        assert guarded.name == name
        assert budget["spec"]["maxUnavailable"] == 1
    assert set(of_kind("PodDisruptionBudget")) == {
        *("web", "worker", "outbound", "controller")
    }


@every_pod
def test_what_a_pod_names_is_there(document):
    spec, container = document.pod["spec"], document.container
    sources = [*of_kind("ConfigMap"), *(secret.name for secret in SECRETS)]
    volumes = {volume["name"] for volume in spec.get("volumes", ())}
    ports = {port["name"] for port in container.get("ports", ())}

    for source in container["envFrom"]:
        ((_, named),) = source.items()
        assert named["name"] in sources
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        if name in container:
            assert container[name]["httpGet"]["port"] in ports
    if "serviceAccountName" in spec:
        assert spec["serviceAccountName"] in of_kind("ServiceAccount")


@pytest.mark.parametrize("name", ["worker", "outbound"])
def test_a_worker_that_starts_while_redis_is_away_is_not_killed_for_it(name):
    """What it is asked for it serves when Celery is connected, and not before."""
    probe = pod_of(name).container["startupProbe"]

    assert probe["periodSeconds"] * probe["failureThreshold"] >= 3600


def test_the_controller_alone_may_ask_the_cluster():
    binding = of_kind("RoleBinding")["controller"]
    (subject,) = binding["subjects"]
    asking = {
        one.name for one in PODS if one.pod["spec"]["automountServiceAccountToken"]
    }

    assert asking == {"controller"}
    assert pod_of("controller").pod["spec"]["serviceAccountName"] == subject["name"]
    assert subject["namespace"] == NAMESPACE
    assert binding["roleRef"]["name"] in of_kind("Role")


# As little as may be


@every_pod
def test_a_pod_is_of_the_restricted_kind_and_changes_no_file(document):
    """As the Pod Security Standards have it, which the namespace also demands."""
    spec, own = document.pod["spec"], document.container["securityContext"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"--uid {spec['securityContext']['runAsUser']} " in dockerfile()
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["enableServiceLinks"] is False
    enforced = of_kind("Namespace")[NAMESPACE]["metadata"]["labels"]
    assert enforced["pod-security.kubernetes.io/enforce"] == "restricted"


@every_pod
def test_a_pod_says_what_it_takes(document):
    resources = document.container["resources"]

    assert set(resources["requests"]) == {"cpu", "memory"}
    assert bytes_of(resources["requests"]["memory"]) < bytes_of(
        resources["limits"]["memory"]
    )
    # A limit of it makes whoever reaches it wait, and helps nobody.
    assert "cpu" not in resources["limits"]


@pytest.mark.parametrize("name", ["worker", "outbound"])
def test_a_worker_is_not_ended_by_the_memory_it_may_take(name):
    limit = pod_of(name).container["resources"]["limits"]["memory"]

    assert bytes_of(limit) > celeryconfig.worker_max_memory_per_child * 1024


def test_who_drains_is_given_the_time_for_it():
    spec = {name: pod_of(name).pod["spec"] for name in ROLES}
    gunicorn = (ROOT / "api" / "server.py").read_text()
    graceful = int(re.search(r"^graceful_timeout = (\d+)$", gunicorn, re.MULTILINE)[1])
    pause = pod_of("web").container["lifecycle"]["preStop"]["exec"]["command"]

    for name in ("worker", "outbound"):
        assert (
            spec[name]["terminationGracePeriodSeconds"]
            > 2 * celeryconfig.worker_soft_shutdown_timeout
        )
        # It begins to drain with its SIGTERM: whatever came before would be work.
        assert "lifecycle" not in pod_of(name).container
    assert pause[0] == "sleep"
    assert spec["web"]["terminationGracePeriodSeconds"] > graceful + int(pause[1]) + 10


def test_nothing_secret_is_written_here():
    for secret in SECRETS:
        for value in secret.said["stringData"].values():
            assert "CHANGE-ME" in value
    assert not of_kind("Secret")
    kept_out = (ROOT / ".gitignore").read_text().splitlines()
    assert EXAMPLE.with_name("secret.yaml").relative_to(ROOT).as_posix() in kept_out


# With the code


@every_pod
def test_a_pod_is_told_settings_that_are_some(document):
    told = environment(document)
    # As the node itself reads them: it needs no login but its own.
    own = told.get("OBSERVABILITY_DATABASE_URL", "")

    assert set(told) - SETTINGS <= {"NAMESPACE"}
    settings = Settings.from_environ({"DATABASE_URL": own, **told})
    assert settings.log_format == "json"


def test_who_only_looks_knows_no_login_that_writes():
    assert "DATABASE_URL" not in environment(pod_of("observer"))


def test_only_who_signs_knows_what_is_signed_with():
    knowing = {one.name for one in PODS if "TOKEN_SECRET" in environment(one)}

    assert knowing == {"web", "worker", "outbound"}


@pytest.mark.parametrize(
    "name", sorted({*ROLES, "migrate"} - {"controller", "observer"})
)
def test_a_pod_runs_what_runs_elsewhere(name):
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    there = shlex.split(compose["services"][name].get("command", ""))
    here = [
        part
        for word in pod_of(name).container.get("command", ())
        for part in (word.split("=", 1) if word != "--pidfile=" else [word])
    ]

    assert here == there


def test_what_compose_does_not_run_is_a_package_of_ours():
    commands = {
        name: pod_of(name).container["command"] for name in ("controller", "observer")
    }

    assert commands == {
        "controller": ["python", "-m", "controller"],
        "observer": ["python", "-m", "api.observer"],
    }


def test_every_pod_is_of_the_one_image():
    assert {document.container["image"] for document in PODS} == {"peoples-coin"}


def test_the_image_can_be_built_with_what_the_controller_needs():
    """The shell makes nothing of no extras, and a list in brackets of some."""
    installed = re.search(r'--editable "(.*)"$', dockerfile(), re.MULTILINE)[1]
    pyproject = (ROOT / "pyproject.toml").read_text()

    def said(extras):
        echo = ["sh", "-c", f'printf %s "{installed}"']
        ran = subprocess.run(
            echo, env={"EXTRAS": extras}, capture_output=True, check=True
        )
        return ran.stdout.decode()

    assert (said(""), said("kubernetes,otel")) == (".", ".[kubernetes,otel]")
    assert "ARG EXTRAS=\n" in dockerfile()
    assert "\nkubernetes = [" in pyproject


def test_the_controller_sizes_whom_the_manifests_leave_to_it():
    settings = Settings.from_environ(environment(pod_of("controller")))
    deployments = deployments_of(settings.controller_deployments)

    assert settings.controller_target == "kubernetes"
    assert set(deployments) == set(GROUPS)
    for group, deployment in deployments.items():
        assert deployment.namespace == NAMESPACE
        served = queues(pod_of(deployment.name).container["command"])
        assert served == {q for q in celeryconfig.QUEUES if group_of(q).name == group}
    unsized = {
        name for name, one in DEPLOYMENTS.items() if "replicas" not in one["spec"]
    }
    assert unsized == {deployment.name for deployment in deployments.values()}
    assert DEPLOYMENTS["controller"]["spec"]["replicas"] == 2


def test_figures_are_told_where_they_are_looked_for():
    told = {
        "web": 8000,
        "worker": Settings.from_environ(environment(pod_of("worker"))),
        "outbound": Settings.from_environ(environment(pod_of("outbound"))),
        "controller": Settings.from_environ(environment(pod_of("controller"))),
    }
    told["worker"] = told["worker"].metrics_port_workers
    told["outbound"] = told["outbound"].metrics_port_workers
    told["controller"] = told["controller"].metrics_port_controller

    for name, port in told.items():
        notes = pod_of(name).pod["metadata"]["annotations"]
        assert notes == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(port),
        }
        assert port in [one["containerPort"] for one in pod_of(name).container["ports"]]
    node = Settings.from_environ(
        {"DATABASE_URL": "postgresql://x/x", **environment(pod_of("observer"))}
    )
    (port,) = pod_of("observer").container["ports"]
    assert port["containerPort"] == node.observability_port


# With the cluster


def granted(rules):
    """Return each right by itself: group, resource, verb, and of whom, if of some."""
    return {
        (group, resource, verb, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [None])
    }


def test_the_controller_has_the_rights_it_uses_and_no_others(tmp_path):
    """The Role allows each of its requests, and it uses each right of the Role."""
    rules = of_kind("Role")["controller"]["rules"]
    text = environment(pod_of("controller"))["CONTROLLER_DEPLOYMENTS"]
    with serving(tmp_path) as api, api.cluster.with_keda():
        api.rules = rules
        target = KubernetesTarget(
            deployments_of(text),
            busy=lambda _: {},
            kubeconfig=str(api.kubeconfig(tmp_path / "kubeconfig")),
        )
        for group, (namespace, name) in deployments_of(text).items():
            api.cluster.add_deployment(namespace, name, replicas=2)
            assert target.apply(group, 3, target.observe(group)) == 3
            assert target.apply(group, 1, target.observe(group)) == 1
        target.close()
    named = {(group, what) for group, what, _, name in granted(rules) if name}
    used = {
        (one.group, one.resource, one.verb, one.name)
        if (one.group, one.resource) in named
        else (one.group, one.resource, one.verb, None)
        for one in api.requests
    }

    assert used == granted(rules)
    assert {one.namespace for one in api.requests} == {NAMESPACE}


def test_every_right_is_explained():
    page = (ROOT / "docs" / "deploy-kubernetes.md").read_text()
    rows = [row for row in page.splitlines() if row.startswith("| ")]

    for _, resource, verb, name in granted(of_kind("Role")["controller"]["rules"]):
        (row,) = [row for row in rows if f"`{resource}`" in row]
        assert verb in row.partition("`")[0]
        assert name is None or f"`{name}`" in row or "of these two" in row


def test_the_role_is_one_of_the_namespace_alone():
    kinds = {document.kind for document in APPLIED}

    assert not kinds & {"ClusterRole", "ClusterRoleBinding"}


def dockerfile():
    return (ROOT / "Dockerfile").read_text()
