"""A Deployment from its beginning to its end: on the double, and on a cluster of yours.

Set KUBECONFIG to a cluster where you may create namespaces; all of it is in one of its
own, which is deleted.
"""

import os
import secrets
from contextlib import contextmanager

import pytest
from kubernetes import client
from kubernetes.config import new_client_from_config

from controller.targets import Unavailable
from controller.targets.deployment import DELETION_COST, Deployment
from controller.targets.kubernetes import KubernetesTarget
from tests.waiting import eventually

YOURS = os.environ.get("KUBECONFIG")
# A pod may have to wait for its image.
WITHIN = 120
LABELS = {"app.kubernetes.io/name": "worker"}
POD = {
    "terminationGracePeriodSeconds": 1,
    "containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.10"}],
}


@pytest.fixture(
    params=[
        "double",
        pytest.param(
            "yours",
            marks=pytest.mark.skipif(
                not YOURS, reason="KUBECONFIG names no cluster to try it on"
            ),
        ),
    ]
)
def cluster(request):
    """Return the kubeconfig of a cluster."""
    return request.getfixturevalue("kubeconfig") if request.param == "double" else YOURS


@contextmanager
def namespace_of(asked):
    """Yield a namespace that is there as long as the block lasts."""
    core = client.CoreV1Api(asked)
    name = f"coin-test-{secrets.token_hex(4)}"
    core.create_namespace({"metadata": {"name": name}})
    try:
        yield name
    finally:
        core.delete_namespace(name)


def test_a_deployment_is_told_sizes_and_ends_whom_it_should(cluster):
    with new_client_from_config(cluster) as asked, namespace_of(asked) as namespace:
        apps, core = client.AppsV1Api(asked), client.CoreV1Api(asked)
        template = {"metadata": {"labels": LABELS}, "spec": POD}
        spec = {"selector": {"matchLabels": LABELS}, "template": template}
        worker = {"metadata": {"name": "worker"}, "spec": {"replicas": 1, **spec}}
        apps.create_namespaced_deployment(namespace, worker)
        busy = {}
        target = KubernetesTarget(
            {"ledger": Deployment(namespace, "worker")},
            busy=lambda _: busy,
            kubeconfig=cluster,
            seconds=30,
        )

        def ready(size):
            observed = target.observe("ledger")
            return observed if (observed.size, observed.ready) == (size, size) else None

        def tell(size):
            """Tell a size; status that changes in between is met by trying again."""
            try:
                return target.apply("ledger", size, target.observe("ledger"))
            except Unavailable:
                return None

        def names():
            pods = core.list_namespaced_pod(namespace).items
            return {p.metadata.name for p in pods if not p.metadata.deletion_timestamp}

        eventually(lambda: ready(1), within=WITHIN)
        assert eventually(lambda: tell(3)) == 3
        eventually(lambda: ready(3), within=WITHIN)

        kept = min(names())
        busy.update(dict.fromkeys(names(), 0), **{kept: 1})
        assert eventually(lambda: tell(1)) == 1
        eventually(lambda: ready(1), within=WITHIN)
        eventually(lambda: names() == {kept}, within=WITHIN)
        pod = core.read_namespaced_pod(kept, namespace)
        assert pod.metadata.annotations[DELETION_COST] == "1"

        apps.delete_namespaced_deployment("worker", namespace)
        with pytest.raises(Unavailable, match="apply deploy/kubernetes"):
            target.observe("ledger")
        target.close()
