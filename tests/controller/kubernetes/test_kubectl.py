"""The double is one: Kubernetes' own program takes it for a cluster."""

import shutil
import subprocess

import pytest
import yaml

pytestmark = [
    pytest.mark.usefixtures("worker"),
    pytest.mark.skipif(
        shutil.which("kubectl") is None,
        reason="there is no kubectl here (apt-get install kubernetes-client)",
    ),
]
WORKER = "/apis/apps/v1/namespaces/coin/deployments/worker"


@pytest.fixture
def kubectl(kubeconfig, tmp_path):
    """Run kubectl; return what it printed, or what it complained of."""

    def run(*arguments, ends=0, says=None):
        ended = subprocess.run(
            [
                *("kubectl", "--kubeconfig", kubeconfig),
                *("--cache-dir", tmp_path / "cache", *arguments),
            ],
            input=says,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ended.returncode == ends, ended.stderr
        return ended.stderr if ends else ended.stdout

    return run


def asked(api):
    return [(one.method, one.path, one.content_type) for one in api.requests]


def test_it_reads_deployments_and_pods(kubectl, worker):
    assert "\nworker " in kubectl("get", "deployments")
    assert (
        kubectl("get", "deployment", "worker", "-o", "jsonpath={.status.readyReplicas}")
        == "3"
    )
    listed = kubectl("get", "pods", "-l", "app.kubernetes.io/name=worker", "-o", "name")
    assert sorted(listed.split()) == [f"pod/{name}" for name in worker]
    assert "No resources found" not in listed
    assert 'deployments.apps "nobody" not found' in kubectl(
        "get", "deployment", "nobody", ends=1
    )


def test_it_scales(api, kubectl):
    assert "scaled" in kubectl("scale", "deployment/worker", "--replicas=5")

    assert asked(api)[-1] == (
        *("PATCH", f"{WORKER}/scale"),
        "application/merge-patch+json",
    )
    assert api.cluster.size("coin", "worker") == 5


def test_it_scales_what_has_the_size_expected_and_nothing_else(api, kubectl):
    wrong = ("scale", "deployment/worker", "--replicas=5", "--current-replicas=7")
    assert "Expected replicas to be 7, was 3" in kubectl(*wrong, ends=1)
    assert api.cluster.size("coin", "worker") == 3

    kubectl("scale", "deployment/worker", "--replicas=5", "--current-replicas=3")
    read, told = asked(api)[-2:]
    assert read[:2] == ("GET", f"{WORKER}/scale")
    assert told[:2] == ("PUT", f"{WORKER}/scale")
    assert api.requests[-1].body["metadata"]["resourceVersion"]
    assert api.cluster.size("coin", "worker") == 5


def test_it_is_told_of_a_conflict(api, kubectl):
    read = yaml.safe_load(kubectl("get", "deployment", "worker", "-o", "yaml"))
    kubectl("scale", "deployment/worker", "--replicas=5")
    read["spec"]["replicas"] = 4

    said = kubectl(
        "replace", "--validate=false", "-f", "-", says=yaml.safe_dump(read), ends=1
    )

    assert "(Conflict)" in said
    assert "please apply your changes to the latest version" in said
    assert api.cluster.size("coin", "worker") == 5


def test_it_is_told_who_may_not_do_what(api, kubectl):
    api.rules = [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
    ]

    said = kubectl("scale", "deployment/worker", "--replicas=5", ends=1)

    assert "(Forbidden)" in said
    assert 'cannot patch resource "deployments/scale" in API group "apps"' in said


def test_it_annotates_pods(api, kubectl, worker):
    cost = "controller.kubernetes.io/pod-deletion-cost=7"
    kubectl("annotate", "pod", worker[0], cost)

    assert api.cluster.pods()[worker[0]] == "7"


def test_it_creates_and_deletes(api, kubectl):
    web = ("create", "deployment", "web", "--image=peoples-coin", "--dry-run=client")
    written = kubectl(*web, "-o", "yaml")
    made = kubectl("create", "--validate=false", "-f", "-", says=written)

    assert "deployment.apps/web created" in made
    assert api.cluster.size("coin", "web") == 1
    kubectl("delete", "deployment", "web", "--wait=false")
    assert "web" not in kubectl("get", "deployments", "-o", "name")
