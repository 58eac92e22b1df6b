"""What deploy/kubernetes says, document by document."""

from typing import NamedTuple

import yaml

from tests.databases import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
NAMESPACE = "coin"
EXAMPLE = FOLDER / "secret.example.yaml"


class Document(NamedTuple):
    """One object, and the file it is written in."""

    file: str
    said: dict

    @property
    def kind(self):
        return self.said["kind"]

    @property
    def name(self):
        return self.said["metadata"]["name"]

    @property
    def pod(self):
        """The template of its pods; None for what has none."""
        return self.said.get("spec", {}).get("template")

    @property
    def container(self):
        (container,) = self.pod["spec"]["containers"]
        return container

    @property
    def id(self):
        return f"{self.kind}-{self.name}"


def read(path):
    return [Document(path.name, said) for said in yaml.safe_load_all(path.read_text())]


KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
APPLIED = [
    document for name in KUSTOMIZATION["resources"] for document in read(FOLDER / name)
]
SECRETS = read(EXAMPLE)
PODS = [document for document in APPLIED if document.pod]


def of_kind(kind):
    return {
        document.name: document.said for document in APPLIED if document.kind == kind
    }


def environment(document):
    """Return the variables that a pod's program sees, secret ones by their example."""
    maps = {
        ("configMapRef", name): said["data"]
        for name, said in of_kind("ConfigMap").items()
    }
    maps |= {
        ("secretRef", secret.name): secret.said["stringData"] for secret in SECRETS
    }
    found = {}
    for source in document.container["envFrom"]:
        ((kind, named),) = source.items()
        found |= maps[kind, named["name"]]
    for variable in document.container.get("env", ()):
        value = variable.get("value", NAMESPACE)
        for name, before in found.items():
            value = value.replace(f"$({name})", before)
        found[variable["name"]] = value
    return found


def selected(labels):
    """Return the documents whose pods have these labels."""
    return [
        document
        for document in PODS
        if labels.items() <= document.pod["metadata"]["labels"].items()
    ]
