"""What a Deployment is told, in which requests, and what becomes of its pods."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.targets import Observed, Unavailable
from controller.targets.deployment import Deployment, Pod, costs, deployments_of
from controller.targets.kubernetes import KubernetesTarget
from domain.settings import Settings
from tests.controller.kubernetes.breaking import first, says, status
from tests.controller.kubernetes.cluster import DEPLOYMENTS, PODS

WORKER = "/apis/apps/v1/namespaces/coin/deployments/worker"


def size(api):
    return api.cluster.size("coin", "worker")


def touch(api):
    """Change something of the Deployment, and not its size."""
    api.cluster.patch(
        DEPLOYMENTS, "coin", "worker", {"metadata": {"labels": {"touched": "yes"}}}
    )


# What is named


def test_the_setting_names_a_deployment_of_each_group():
    text = "ledger=coin/worker, outbound=coin/outbound"
    settings = Settings.from_environ(
        {"DATABASE_URL": "postgresql://x/x", "CONTROLLER_DEPLOYMENTS": text}
    )

    assert deployments_of(settings.controller_deployments) == {
        "ledger": ("coin", "worker"),
        "outbound": ("coin", "outbound"),
    }
    assert deployments_of("") == {}


@pytest.mark.parametrize("ask", ["observe", "apply"])
def test_a_group_without_a_deployment_is_told_how_to_name_one(api, target, ask):
    arguments = (4, Observed(size=3)) if ask == "apply" else ()

    with pytest.raises(Unavailable, match="CONTROLLER_DEPLOYMENTS=tally=namespace/na"):
        getattr(target, ask)("tally", *arguments)

    assert api.requests == []


# Observe


def test_what_a_deployment_was_told_and_has_is_one_request(api, worker, target):
    observed = target.observe("ledger")
    target.observe("ledger")

    assert observed == Observed(size=3, ready=3, notes=[])
    assert [(request.method, request.path) for request in api.requests] == [
        ("GET", "/apis/autoscaling/v2/namespaces/coin/horizontalpodautoscalers"),
        ("GET", "/apis/keda.sh/v1alpha1/namespaces/coin/scaledobjects"),
        ("GET", WORKER),
        ("GET", WORKER),
    ]


def test_pods_that_are_not_ready_yet_are_not_counted_as_such(api, worker, target):
    api.cluster.slow_to_start = True
    target.apply("ledger", 5, target.observe("ledger"))
    starting = target.observe("ledger")
    api.cluster.become_ready()

    assert (starting.size, starting.ready) == (5, 3)
    assert target.observe("ledger").ready == 5


def test_a_deployment_of_none_is_observed_and_told_to_have_one(api, worker, target):
    api.cluster.patch(DEPLOYMENTS, "coin", "worker", {"spec": {"replicas": 0}})
    observed = target.observe("ledger")

    assert (observed.size, observed.ready) == (0, 0)
    assert target.apply("ledger", 1, observed) == 1
    assert size(api) == 1


def test_why_a_deployment_has_not_what_it_was_told_is_noted(api, worker, target):
    quota = 'pods "worker-1" is forbidden: exceeded quota: cpu'
    conditions = [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
        {
            "type": "ReplicaFailure",
            "status": "True",
            "reason": "FailedCreate",
            "message": quota,
        },
    ]
    api.cluster.patch(
        DEPLOYMENTS, "coin", "worker", {"status": {"conditions": conditions}}
    )

    assert target.observe("ledger").notes == [f"FailedCreate: {quota}"]


# Tell


def test_a_deployment_is_told_a_size_of_the_version_that_was_read(api, worker, target):
    observed = target.observe("ledger")
    version = api.cluster.find(DEPLOYMENTS, "coin", "worker")["metadata"][
        "resourceVersion"
    ]
    api.requests.clear()

    assert target.apply("ledger", 5, observed) == 5
    read, told = api.requests
    assert (read.method, read.path) == ("GET", f"{WORKER}/scale")
    assert (told.method, told.path) == ("PUT", f"{WORKER}/scale")
    assert told.content_type in {None, "application/json"}  # none is JSON
    assert told.body == {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {
            "name": "worker",
            "namespace": "coin",
            "resourceVersion": version,
        },
        "spec": {"replicas": 5},
    }
    assert size(api) == 5


def test_what_it_has_already_it_is_not_told_again(api, worker, target):
    assert target.apply("ledger", 3, Observed(size=2)) == 3

    assert api.said() == ["get deployments/scale"]


def test_a_change_of_something_else_in_between_is_no_hindrance(api, worker, target):
    api.on("update deployments/scale", first(lambda: touch(api)))

    assert target.apply("ledger", 4, Observed(size=3)) == 4
    assert api.said() == ["get deployments/scale", "update deployments/scale"] * 2
    assert size(api) == 4


def test_a_size_somebody_else_gave_in_between_stays(api, worker, target):
    def by_hand():
        api.cluster.patch(DEPLOYMENTS, "coin", "worker", {"spec": {"replicas": 7}})

    api.on("update deployments/scale", first(by_hand))

    with pytest.raises(Unavailable, match="told coin/worker to have 7, where it had 3"):
        target.apply("ledger", 4, Observed(size=3))

    assert size(api) == 7


def test_who_changes_it_all_the_time_has_the_last_word(api, worker, target):
    api.on("update deployments/scale", first(lambda: touch(api)), always=True)

    with pytest.raises(Unavailable, match=r"5 times .* --show-managed-fields"):
        target.apply("ledger", 4, Observed(size=3))

    assert api.said().count("update deployments/scale") == 5
    assert size(api) == 3


# End the idle


def test_busy_pods_outlive_the_idle_and_old_ones_the_new(api, worker, busy, target):
    oldest, middle, newest = worker
    busy.update({oldest: 0, middle: 0, newest: 2})

    assert target.apply("ledger", 2, Observed(size=3)) == 2

    assert api.cluster.pods() == {oldest: "-1", newest: "2"}
    listed, *priced, _ = api.requests[1:]
    assert listed.path == "/api/v1/namespaces/coin/pods"
    assert listed.query["labelSelector"] == ["app.kubernetes.io/name=worker"]
    assert [(one.method, one.path) for one in priced] == [
        ("PATCH", f"/api/v1/namespaces/coin/pods/{name}") for name in worker
    ]
    assert {one.content_type for one in priced} == {"application/merge-patch+json"}
    cost = {"controller.kubernetes.io/pod-deletion-cost": "-1"}
    assert priced[0].body == {"metadata": {"annotations": cost}}


def test_who_has_not_been_heard_of_is_taken_for_busy(api, worker, busy, target):
    heard = worker[0]
    busy[heard] = 0

    target.apply("ledger", 2, Observed(size=3))

    assert list(api.cluster.pods()) == worker[1:]


def test_a_cost_that_is_known_is_not_told_again(api, worker, busy, target):
    busy.update(dict.fromkeys(worker, 0))
    target.apply("ledger", 2, Observed(size=3))
    api.requests.clear()

    target.apply("ledger", 1, Observed(size=2))

    assert "patch pods" not in api.said()
    assert list(api.cluster.pods()) == worker[:1]


def test_only_pods_of_the_deployment_are_looked_at(api, worker, target):
    api.cluster.add_deployment("coin", "web", replicas=1)
    web = api.cluster.find(DEPLOYMENTS, "coin", "web")

    target.apply("ledger", 2, Observed(size=3))

    pods = api.cluster.pods()
    assert [pods[name] for name in pods if name.startswith("web-")] == [None]
    assert api.cluster.find(DEPLOYMENTS, "coin", "web") == web


def test_pods_that_are_ending_already_are_not_told(api, worker, target):
    ending = {"metadata": {"deletionTimestamp": "2026-01-01T01:00:00Z"}}
    api.cluster.patch(PODS, "coin", worker[0], ending)
    api.cluster.patch(PODS, "coin", worker[1], {"status": {"phase": "Succeeded"}})

    target.apply("ledger", 2, Observed(size=3))

    assert [one.name for one in api.requests if one.said == "patch pods"] == worker[2:]


def test_a_pod_that_is_gone_meanwhile_needs_no_cost(api, worker, target):
    api.on("patch pods", status(404, "no such pod"))

    assert target.apply("ledger", 2, Observed(size=3)) == 2
    assert size(api) == 2


def test_with_more_told_nobody_looks_at_pods(api, worker, target):
    target.apply("ledger", 4, Observed(size=3))

    assert not {"list pods", "patch pods"} & set(api.said())


@pytest.mark.parametrize("said", ["list pods", "patch pods"])
def test_where_costs_cannot_be_told_the_size_stays(api, worker, target, said):
    api.on(said, status(403, f"cannot {said}"), always=True)

    with pytest.raises(Unavailable, match=f"deploy/kubernetes.* cannot {said}"):
        target.apply("ledger", 2, Observed(size=3))

    assert size(api) == 3


def test_where_nobody_knows_who_is_busy_the_size_stays(api, worker, kubeconfig):
    def broken(group):
        raise LookupError(group)

    target = KubernetesTarget(
        {"ledger": Deployment("coin", "worker")}, busy=broken, kubeconfig=kubeconfig
    )
    with pytest.raises(Unavailable, match="LookupError: ledger"):
        target.apply("ledger", 2, Observed(size=3))

    assert api.requests == []
    target.close()


def test_a_deployment_that_selects_nobody_in_particular_keeps_its_size(
    api, worker, target
):
    scale = (
        '{"metadata": {"name": "worker", "resourceVersion": "1"}, '
        '"spec": {"replicas": 3}, "status": {"replicas": 3}}'
    )
    api.on("get deployments/scale", says(scale, "application/json"))

    with pytest.raises(Unavailable, match="does not say which pods are its own"):
        target.apply("ledger", 2, Observed(size=3))

    assert api.said() == ["get deployments/scale"]


NAMES = st.sampled_from("abcdefgh")
PODS_OF_SOME_AGE = st.lists(
    st.builds(Pod, name=NAMES, created=st.datetimes(), cost=st.none()),
    unique_by=lambda pod: pod.name,
)


@given(PODS_OF_SOME_AGE, st.dictionaries(NAMES, st.integers(0, 36)))
def test_the_idle_cost_least_and_of_them_the_newest(pods, busy):
    cost = dict(zip(pods, map(int, costs(pods, busy)), strict=True))

    idle = [pod for pod in pods if busy.get(pod.name) == 0]
    assert all(cost[pod] < 0 for pod in idle)
    assert all(
        cost[one] < cost[other]
        for one in idle
        for other in idle
        if one.created > other.created
    )
    for pod in set(pods) - set(idle):
        assert cost[pod] == busy.get(pod.name, 1_000_000)


# The client


def test_the_client_is_read_only_where_it_is_chosen():
    read = (
        "import sys, controller.targets.kubernetes; print('kubernetes' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", read], capture_output=True, text=True, check=True
    )

    assert told.stdout == "False\n"


def test_without_the_client_it_is_said_how_to_get_it(monkeypatch):
    for name in ("kubernetes", "kubernetes.client"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "controller.targets.cluster", raising=False)

    with pytest.raises(Unavailable, match=r"pip install '\.\[kubernetes\]'"):
        KubernetesTarget({}, busy=dict)
