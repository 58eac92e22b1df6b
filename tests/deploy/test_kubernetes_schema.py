"""Each manifest is what the API takes: by the official client's models, offline."""

import re
import shutil
import subprocess

import pytest
import yaml
from kubernetes import client

from tests.controller.kubernetes.api_server import serving
from tests.deploy.manifests import APPLIED, FOLDER, KUSTOMIZATION, NAMESPACE, SECRETS

WRITTEN = [*APPLIED, *SECRETS]
MODELS = {
    ("apps/v1", "Deployment"): client.V1Deployment,
    ("batch/v1", "Job"): client.V1Job,
    ("policy/v1", "PodDisruptionBudget"): client.V1PodDisruptionBudget,
    ("rbac.authorization.k8s.io/v1", "Role"): client.V1Role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): client.V1RoleBinding,
    ("v1", "ConfigMap"): client.V1ConfigMap,
    ("v1", "Namespace"): client.V1Namespace,
    ("v1", "Secret"): client.V1Secret,
    ("v1", "Service"): client.V1Service,
    ("v1", "ServiceAccount"): client.V1ServiceAccount,
}
# The models leave these words and forms to the server.
FORMS = {
    "apiGroup": r"rbac\.authorization\.k8s\.io",
    "cpu": r"[0-9]+m?",
    "memory": r"[0-9]+[KMG]i",
    "mountPath": r"/[a-z/]+",
    "name": r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?|[A-Z][A-Z0-9_]*",
    "protocol": r"TCP|UDP|SCTP",
    "restartPolicy": r"Always|OnFailure|Never",
    "sizeLimit": r"[0-9]+[KMG]i",
    "type": r"RuntimeDefault|Localhost|ClusterIP|RollingUpdate|Recreate",
    "whenUnsatisfiable": r"DoNotSchedule|ScheduleAnyway",
}
VERBS = {"create", "delete", "get", "list", "patch", "update", "watch"}

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None,
    reason="there is no kubectl here (apt-get install kubernetes-client)",
)


def model_of(said):
    return MODELS[said["apiVersion"], said["kind"]]


def leaves(said, path=()):
    """Yield the path and the value of everything that holds nothing else."""
    if isinstance(said, dict | list):
        pairs = said.items() if isinstance(said, dict) else enumerate(said)
        for name, value in pairs:
            yield from leaves(value, (*path, name))
    else:
        yield path, said


def ids(documents):
    return [document.id for document in documents]


@pytest.mark.parametrize("document", WRITTEN, ids=ids(WRITTEN))
def test_a_manifest_has_the_fields_that_the_api_has(document):
    """Refused are a field that it has not, a missing one it needs, another type."""
    read = model_of(document.said).model_validate(document.said)

    # The models also take Python's names, which the API does not.
    assert client.ApiClient().sanitize_for_serialization(read) == document.said


@pytest.mark.parametrize("document", WRITTEN, ids=ids(WRITTEN))
def test_words_and_quantities_are_some_the_api_knows(document):
    for path, value in leaves(document.said):
        form = FORMS.get(path[-1])
        if form and not {"data", "stringData", "labels"} & set(path):
            assert re.fullmatch(form, value), f"{path}: {value}"


def test_every_right_is_a_verb():
    roles = [one.said for one in APPLIED if one.kind == "Role"]

    assert roles
    for role in roles:
        for rule in role["rules"]:
            assert set(rule["verbs"]) <= VERBS


def test_a_manifest_that_is_wrong_is_found_out():
    """The check can fail: on a misspelt field, a missing one, and a wrong type."""
    web = next(one.said for one in APPLIED if one.id == "Deployment-web")
    spec = web["spec"]
    for wrong in (
        {**spec, "replica": 2},
        {name: value for name, value in spec.items() if name != "selector"},
        {**spec, "replicas": "2"},
    ):
        with pytest.raises(ValueError, match="validation error"):
            client.V1Deployment.model_validate({**web, "spec": wrong})


def test_no_two_objects_are_one():
    ids_ = ids(WRITTEN)

    assert len(ids_) == len(set(ids_))


def test_all_that_is_written_is_applied_but_the_example():
    written = {path.name for path in FOLDER.iterdir()}

    assert written - {"secret.yaml"} == {
        *KUSTOMIZATION["resources"],
        "kustomization.yaml",
        "secret.example.yaml",
    }


@needs_kubectl
def test_kubectl_puts_it_together():
    built = subprocess.run(
        ["kubectl", "kustomize", FOLDER], capture_output=True, text=True, check=True
    )
    documents = list(yaml.safe_load_all(built.stdout))
    (image,) = KUSTOMIZATION["images"]

    assert {(d["kind"], d["metadata"]["name"]) for d in documents} == {
        (document.kind, document.name) for document in APPLIED
    }
    for said in documents:
        model_of(said).model_validate(said)
        if said["kind"] != "Namespace":
            assert said["metadata"]["namespace"] == NAMESPACE
        if "template" in said.get("spec", {}):
            (container,) = said["spec"]["template"]["spec"]["containers"]
            assert container["image"] == f"{image['newName']}:{image['newTag']}"


@needs_kubectl
def test_kubectl_finds_every_kind_where_a_cluster_has_it(tmp_path):
    """Its own check of fields would need a real cluster's description of them."""
    with serving(tmp_path) as api:
        created = subprocess.run(
            [
                *("kubectl", "--kubeconfig", api.kubeconfig(tmp_path / "kubeconfig")),
                *("--cache-dir", tmp_path / "cache", "create", "--dry-run=client"),
                *("--validate=false", "--output=name", "--kustomize", FOLDER),
            ],
            capture_output=True,
            text=True,
            check=True,
        )

    assert len(created.stdout.splitlines()) == len(APPLIED)
    assert api.requests == []
