"""What something else sizes is observed, and told nothing."""

import pytest

from controller.targets import Unavailable
from tests.controller.kubernetes.breaking import status
from tests.controller.kubernetes.cluster import HPAS, SCALED_OBJECTS

pytestmark = pytest.mark.usefixtures("worker")


def autoscaler(api, kind, name, scaled, *, namespace="coin"):
    api.cluster.add(kind, namespace, name, spec={"scaleTargetRef": scaled})


def test_what_a_horizontal_pod_autoscaler_sizes_is_only_observed(api, target):
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"}
    autoscaler(api, HPAS, "web", scaled)
    observed = target.observe("ledger")

    assert observed.owned_by == "HorizontalPodAutoscaler web"
    assert observed.size == 3
    api.requests.clear()
    with pytest.raises(Unavailable, match="is sized by HorizontalPodAutoscaler web"):
        target.apply("ledger", 4, observed)
    assert api.requests == []


@pytest.mark.parametrize(
    ("namespace", "scaled"),
    [
        ("coin", {"kind": "Deployment", "name": "web"}),
        ("coin", {"kind": "StatefulSet", "name": "worker"}),
        ("elsewhere", {"kind": "Deployment", "name": "worker"}),
    ],
    ids=["name", "kind", "namespace"],
)
def test_what_sizes_something_else_is_no_owner(api, target, namespace, scaled):
    autoscaler(api, HPAS, "other", scaled, namespace=namespace)

    assert target.observe("ledger").owned_by is None


def test_keda_is_named_and_not_the_autoscaler_that_it_made(api, target):
    with api.cluster.with_keda():
        autoscaler(api, SCALED_OBJECTS, "by-length", {"name": "worker"})
        scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"}
        autoscaler(api, HPAS, "keda-hpa-by-length", scaled)

        assert target.observe("ledger").owned_by == "ScaledObject by-length"


def test_where_keda_may_not_be_looked_at_its_autoscaler_is_seen(api, target):
    api.on("list scaledobjects", status(403), always=True)
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"}
    autoscaler(api, HPAS, "keda-hpa-by-length", scaled)

    owner = "HorizontalPodAutoscaler keda-hpa-by-length"
    assert target.observe("ledger").owned_by == owner


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("list horizontalpodautoscalers", 403),
        ("list horizontalpodautoscalers", 500),
        ("list scaledobjects", 500),
    ],
)
def test_where_nobody_knows_who_sizes_it_nothing_is_observed(api, target, said, code):
    api.on(said, status(code), always=True)

    with pytest.raises(Unavailable, match=said.removeprefix("list ")):
        target.observe("ledger")


def test_more_autoscalers_than_one_answer_holds_are_no_answer(api, target):
    for number in range(501):
        scaled = {"kind": "Deployment", "name": f"other-{number}"}
        autoscaler(api, HPAS, f"other-{number}", scaled)

    with pytest.raises(Unavailable, match="more than 500"):
        target.observe("ledger")


def test_who_sizes_it_is_asked_once_a_minute(api, clock, target):
    target.observe("ledger")
    autoscaler(api, HPAS, "web", {"kind": "Deployment", "name": "worker"})

    clock.now += 59
    assert target.observe("ledger").owned_by is None
    clock.now += 1
    assert target.observe("ledger").owned_by == "HorizontalPodAutoscaler web"
    assert api.said().count("list horizontalpodautoscalers") == 2
