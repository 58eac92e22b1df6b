"""A cluster of this test's own: what its objects are, and what becomes of Deployments.

Only what sizing comes to see of one. `api_server.py` serves it as Kubernetes does; the
real `kubectl` and the official client say whether it does.
"""

import copy
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Kind(NamedTuple):
    """One kind of object, where it is served, and its subresources."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self):
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self):
        return f"{self.plural}.{self.group}" if self.group else self.plural


DEPLOYMENTS = Kind("apps", "v1", "deployments", "Deployment")
NAMESPACES = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
PODS = Kind("", "v1", "pods", "Pod")
HPAS = Kind("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
SCALED_OBJECTS = Kind("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")
KINDS = (
    DEPLOYMENTS,
    PODS,
    HPAS,
    NAMESPACES,
    Kind("", "v1", "configmaps", "ConfigMap"),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "services", "Service"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount"),
    Kind("batch", "v1", "jobs", "Job"),
    Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    Kind("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
)


class Refused(Exception):
    """What the API answers with a Status: its code, reason and message."""

    def __init__(self, code, reason, message):
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


class Cluster:
    """Objects by kind, namespace and name; each change is a version of all of them."""

    def __init__(self):
        self.lock = threading.RLock()
        self.kinds = list(KINDS)
        self.objects = {}
        # Whether new pods are ready at once.
        self.slow_to_start = False
        self._version = 1000
        self._made = 0

    # What a test sets up and looks at.

    def add(self, kind, namespace, name, **fields):
        """Make an object, and the namespace it is in, as somebody else would."""
        if (NAMESPACES, None, namespace) not in self.objects:
            self.create(NAMESPACES, None, {"metadata": {"name": namespace}})
        return self.create(kind, namespace, {"metadata": {"name": name}, **fields})

    def add_deployment(self, namespace, name, *, replicas):
        labels = {"app.kubernetes.io/name": name}
        container = {"name": name, "image": "peoples-coin"}
        return self.add(
            DEPLOYMENTS,
            namespace,
            name,
            spec={
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [container]},
                },
            },
        )

    def size(self, namespace, name):
        return self.find(DEPLOYMENTS, namespace, name)["spec"]["replicas"]

    def pods(self, namespace="coin"):
        """Return the pods' names, oldest first, with what it costs to end each."""
        pods = sorted(self.listed(PODS, namespace), key=_created)
        return {
            pod["metadata"]["name"]: pod["metadata"]
            .get("annotations", {})
            .get(DELETION_COST)
            for pod in pods
        }

    def become_ready(self):
        """Let every pod that was made be ready."""
        with self.lock:
            for pod in [pod for pod in self._all(PODS) if not _ready(pod)]:
                pod["status"] = _status(ready=True)
                self._touch(pod)
            for deployment in self._all(DEPLOYMENTS):
                self._settle(deployment)

    # What the API does.

    def listed(self, kind, namespace=None):
        with self.lock:
            return [
                copy.deepcopy(found)
                for (of, where, _), found in self.objects.items()
                if of == kind and namespace in {None, where}
            ]

    def find(self, kind, namespace, name):
        with self.lock:
            return copy.deepcopy(self._find(kind, namespace, name))

    def create(self, kind, namespace, body):
        with self.lock:
            made = copy.deepcopy(body)
            name = made["metadata"]["name"]
            if kind.namespaced:
                self._find(NAMESPACES, None, namespace)
            if (kind, namespace, name) in self.objects:
                message = f'{kind.full_name} "{name}" already exists'
                raise Refused(409, "AlreadyExists", message)
            self._made += 1
            made |= {"apiVersion": kind.api_version, "kind": kind.kind}
            made["metadata"] |= {
                **({"namespace": namespace} if namespace else {}),
                "uid": f"00000000-0000-0000-0000-{self._made:012}",
                "creationTimestamp": _time(BEGAN + timedelta(minutes=self._made)),
                "generation": 1,
            }
            self._touch(made)
            self.objects[kind, namespace, name] = made
            if kind == DEPLOYMENTS:
                made["spec"].setdefault("replicas", 1)
                self._settle(made)
            return copy.deepcopy(made)

    def replace(self, kind, namespace, name, body):
        """Put an object in place of the version that it names, or of any."""
        with self.lock:
            before = self._find(kind, namespace, name)
            named = body["metadata"].get("resourceVersion")
            if named not in {None, before["metadata"]["resourceVersion"]}:
                raise Refused(
                    409,
                    "Conflict",
                    f'Operation cannot be fulfilled on {kind.full_name} "{name}": the '
                    "object has been modified; please apply your changes to the latest "
                    "version and try again",
                )
            if body["spec"] != before["spec"]:
                body["metadata"]["generation"] = before["metadata"]["generation"] + 1
            after = self.objects[kind, namespace, name] = copy.deepcopy(body)
            self._touch(after)
            if kind == DEPLOYMENTS:
                self._settle(after)
            return copy.deepcopy(after)

    def patch(self, kind, namespace, name, change):
        """Change an object as RFC 7396 says."""
        with self.lock:
            before = self.find(kind, namespace, name)
            return self.replace(kind, namespace, name, merged(before, change))

    def delete(self, kind, namespace, name):
        with self.lock:
            gone = self._find(kind, namespace, name)
            del self.objects[kind, namespace, name]
            if kind == DEPLOYMENTS:
                for pod in self._pods_of(gone):
                    del self.objects[PODS, namespace, pod["metadata"]["name"]]
            if kind == NAMESPACES:
                inside = [key for key in self.objects if key[1] == name]
                for key in inside:
                    del self.objects[key]

    @contextmanager
    def with_keda(self):
        """Install KEDA: its kind of object exists from now on."""
        self.kinds.append(SCALED_OBJECTS)
        yield
        self.kinds.remove(SCALED_OBJECTS)

    def _find(self, kind, namespace, name):
        try:
            return self.objects[kind, namespace, name]
        except KeyError:
            message = f'{kind.full_name} "{name}" not found'
            raise Refused(404, "NotFound", message) from None

    def _all(self, kind):
        return [found for (of, *_), found in self.objects.items() if of == kind]

    def _touch(self, changed):
        self._version += 1
        changed["metadata"]["resourceVersion"] = str(self._version)

    def _pods_of(self, deployment):
        labels = deployment["spec"]["selector"]["matchLabels"]
        return [
            pod
            for pod in self._all(PODS)
            if pod["metadata"]["namespace"] == deployment["metadata"]["namespace"]
            and pod["metadata"]["labels"] == labels
        ]

    def _settle(self, deployment):
        """Do what the Deployment and ReplicaSet controllers do, at once."""
        namespace = deployment["metadata"]["namespace"]
        pods, wanted = self._pods_of(deployment), deployment["spec"]["replicas"]
        for _ in range(wanted - len(pods)):
            self._start_pod(deployment)
        for pod in sorted(pods, key=_rank)[: max(0, len(pods) - wanted)]:
            del self.objects[PODS, namespace, pod["metadata"]["name"]]
        pods = self._pods_of(deployment)
        counts = {
            "replicas": len(pods),
            "readyReplicas": sum(map(_ready, pods)),
            "observedGeneration": deployment["metadata"]["generation"],
        }
        conditions = deployment.get("status", {}).get("conditions")
        # Zeros and empty lists are left out, as by Go's encoder.
        status = {name: value for name, value in counts.items() if value}
        status |= {"conditions": conditions} if conditions else {}
        if status != deployment.get("status"):
            deployment["status"] = status
            self._touch(deployment)

    def _start_pod(self, deployment):
        name = f"{deployment['metadata']['name']}-7d9c4b6f5-{self._made:05}"
        template = deployment["spec"]["template"]
        self.create(
            PODS,
            deployment["metadata"]["namespace"],
            {
                "metadata": {"name": name, "labels": template["metadata"]["labels"]},
                "spec": template["spec"],
                "status": _status(ready=not self.slow_to_start),
            },
        )


def merged(before, change):
    """Return JSON changed by JSON (RFC 7396)."""
    if not isinstance(change, dict):
        return change
    after = dict(before) if isinstance(before, dict) else {}
    for name, value in change.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = merged(after.get(name), value)
    return after


def _status(*, ready):
    state = "True" if ready else "False"
    return {
        "phase": "Running" if ready else "Pending",
        "conditions": [{"type": "Ready", "status": state}],
    }


def _ready(pod):
    return pod["status"]["conditions"][0]["status"] == "True"


def _created(pod):
    return pod["metadata"]["creationTimestamp"]


def _rank(pod):
    """Order pods as ReplicaSets end them: not ready, then cheap, then new."""
    cost = pod["metadata"].get("annotations", {}).get(DELETION_COST, "0")
    age = datetime.fromisoformat(_created(pod)).timestamp()
    return _ready(pod), int(cost), -age


def _time(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
