"""A cluster that is served here, and a target that asks it."""

from types import SimpleNamespace

import pytest

from controller.targets.deployment import deployments_of
from controller.targets.kubernetes import KubernetesTarget
from tests.controller.kubernetes.api_server import serving


@pytest.fixture
def api(tmp_path):
    with serving(tmp_path) as api:
        yield api


@pytest.fixture
def worker(api):
    """A Deployment of three pods that are ready; its pods' names, oldest first."""
    api.cluster.add_deployment("coin", "worker", replicas=3)
    return list(api.cluster.pods())


@pytest.fixture
def kubeconfig(api, tmp_path):
    return str(api.kubeconfig(tmp_path / "kubeconfig"))


@pytest.fixture
def clock():
    """Seconds that pass when a test says so."""
    return SimpleNamespace(now=1_000.0)


@pytest.fixture
def busy():
    """The jobs that pods have in hand, by their names."""
    return {}


@pytest.fixture
def target(kubeconfig, busy, clock):
    target = KubernetesTarget(
        deployments_of("ledger=coin/worker"),
        busy=lambda _: busy,
        kubeconfig=kubeconfig,
        clock=lambda: clock.now,
    )
    yield target
    target.close()
