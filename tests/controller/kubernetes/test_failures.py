"""Whatever a cluster does, the controller is told what is wrong, and in time."""

import socket
import threading
import time

import pytest
from kubernetes.config import incluster_config

from controller.targets import Observed, Unavailable
from controller.targets.deployment import Deployment
from controller.targets.kubernetes import KubernetesTarget
from tests.authority import Authority
from tests.controller.kubernetes.api_server import TOKEN
from tests.controller.kubernetes.breaking import drip, hang, says, slow, status
from tests.waiting import eventually

SECONDS = 0.4
BODY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
)


pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def hurried(api, kubeconfig):
    """A target that waits for less than half a second, once it has begun."""
    target = asking(kubeconfig, seconds=SECONDS)
    eventually(lambda: observes(target))
    api.requests.clear()
    yield target
    target.close()


def asking(kubeconfig=None, **chosen):
    return KubernetesTarget(
        {"ledger": Deployment("coin", "worker")},
        busy=lambda _: {},
        kubeconfig=kubeconfig and str(kubeconfig),
        **chosen,
    )


def observes(target):
    try:
        return target.observe("ledger")
    except Unavailable:
        return None


def refused(target):
    """Return what is said of an observation that fails, and how long it took."""
    began = time.monotonic()
    with pytest.raises(Unavailable) as error:
        target.observe("ledger")
    return str(error.value), time.monotonic() - began


# What the server says


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (status(401, "Unauthorized"), "token of the ServiceAccount, or at KUBECONFIG"),
        (status(403, "no get for you"), "grant it, as the Role .*no get for you"),
        (status(404, "not found"), "apply deploy/kubernetes, or correct CONTROLLER_D"),
        (status(429, "too many"), "says 429: too many"),
        (status(500, "etcd is gone"), "says 500: etcd is gone"),
        (status(503, "shutting down"), "says 503: shutting down"),
        (status(302, "moved", Location="http://127.0.0.1:1/"), "says 302"),
        (says("<html>a proxy</html>"), "cannot get the Deployment coin/worker"),
        (says("[", "application/json"), "not one of a Kubernetes API server"),
        (says("{}", "application/json"), "not one of a Kubernetes API server"),
        (says("null", "application/json"), "AttributeError"),
    ],
    ids=[
        *("unknown", "forbidden", "missing", "busy", "broken", "ending", "moved"),
        *("page", "half", "empty", "nothing"),
    ],
)
def test_what_it_says_is_told_with_what_to_do(api, target, fault, advice):
    api.on("get deployments", fault)

    with pytest.raises(Unavailable, match=advice):
        target.observe("ledger")

    assert target.observe("ledger").size == 3


def test_a_token_nobody_knows_is_told_from_a_right_that_is_missing(api, tmp_path):
    stranger = asking(api.kubeconfig(tmp_path / "stranger", token="another"))

    assert "does not know us" in refused(stranger)[0]
    stranger.close()


@pytest.mark.parametrize("code", [401, 403, 404, 429, 500])
@pytest.mark.parametrize("said", ["get deployments/scale", "update deployments/scale"])
def test_what_is_not_told_is_not_said_to_be(api, target, said, code):
    api.on(said, status(code, f"no {said}"))

    with pytest.raises(Unavailable, match=f"no {said}"):
        target.apply("ledger", 4, Observed(size=3))

    assert api.cluster.size("coin", "worker") == 3


def test_the_right_that_is_missing_is_named(api, target):
    api.rules = []

    said, _ = refused(target)

    assert "may not list the horizontalpodautoscalers of coin" in said
    assert (
        'cannot list resource "horizontalpodautoscalers" in API group "autoscaling"'
        in said
    )


def test_no_more_than_a_line_is_told_of_what_it_says(api, target):
    api.on("get deployments", status(500, "so\n" * 10_000))

    said, _ = refused(target)

    assert len(said) < 400
    assert "\n" not in said


# Left alone


def test_a_server_that_asks_to_be_left_alone_is(api, clock, target):
    target.observe("ledger")
    api.on("get deployments", status(429, "too many", Retry_After="30"))
    api.requests.clear()

    said, took = refused(target)
    assert "says 429: too many" in said
    assert took < 5
    assert api.said() == ["get deployments"]

    clock.now += 29
    assert "left alone for another 1 s" in refused(target)[0]
    with pytest.raises(Unavailable, match="left alone"):
        target.apply("ledger", 4, Observed(size=3))
    assert api.said() == ["get deployments"]

    clock.now += 1
    assert target.observe("ledger").size == 3


@pytest.mark.parametrize("asked", ["86400", "Wed, 21 Oct 2037 07:28:00 GMT", "-1", ""])
def test_nobody_is_left_alone_for_more_than_a_minute(api, clock, target, asked):
    api.on("get deployments", status(429, Retry_After=asked))
    refused(target)

    clock.now += 60
    assert target.observe("ledger").size == 3


# In time


@pytest.mark.parametrize(
    "fault",
    [
        hang,
        drip(b"H"),
        drip(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        drip(BODY, b" "),
        drip(b"HTTP/1.1 500 So\r\nContent-Length: 900\r\n\r\n", b"."),
    ],
    ids=["nothing", "status", "fields", "body", "error"],
)
def test_who_never_ends_is_waited_for_so_long_and_no_longer(api, hurried, fault):
    """Each byte comes long before a socket's own timeout; all of them take for ever."""
    api.on("get deployments", fault)

    said, took = refused(hurried)

    assert "no answer" in said
    assert SECONDS / 2 < took < SECONDS + 2


def test_who_was_given_up_tells_nothing_any_more(api, hurried):
    """What a slow server answers at last comes too late to be acted on."""
    api.on("get deployments/scale", slow(2 * SECONDS))

    with pytest.raises(Unavailable, match="no answer"):
        hurried.apply("ledger", 4, Observed(size=3))

    eventually(
        lambda: "asking" not in {thread.name for thread in threading.enumerate()}
    )
    assert "update deployments/scale" not in api.said()
    assert hurried.observe("ledger").size == 3


def test_who_is_slow_again_and_again_is_not_asked_by_more_and_more(api, hurried):
    api.on("get deployments", drip(BODY, b" "), always=True)
    for _ in range(4):
        refused(hurried)

    said, took = refused(hurried)

    assert "4 earlier requests have not ended" in said
    assert took < SECONDS
    assert api.said() == ["get deployments"] * 4


def test_a_server_that_is_not_there_is_named(api, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        api.url = f"https://127.0.0.1:{server.getsockname()[1]}"
    target = asking(api.kubeconfig(tmp_path / "nowhere"))

    said, _ = refused(target)

    assert f"no answer from {api.url}" in said
    assert "look at the API server" in said
    target.close()


# Whom we ask, and as whom


def test_a_server_whose_certificate_nobody_signed_is_told_nothing(api, tmp_path):
    (tmp_path / "other").mkdir()
    api.authority = Authority(tmp_path / "other")
    target = asking(api.kubeconfig(tmp_path / "other" / "kubeconfig"))

    assert "CERTIFICATE_VERIFY_FAILED" in refused(target)[0]
    assert api.requests == []
    target.close()


@pytest.fixture
def pod(api, tmp_path, monkeypatch):
    """This process, where a pod's ServiceAccount would be."""
    files = {"TOKEN": "token", "CERT": "ca.crt"}
    for name, file in files.items():
        path = str(tmp_path / file)
        monkeypatch.setattr(incluster_config, f"SERVICE_{name}_FILENAME", path)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "ca.crt").write_text(api.authority.pem)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", api.url.rpartition(":")[2])


def test_in_a_pod_its_service_account_asks(api, pod):
    target = asking()

    assert target.observe("ledger").size == 3
    target.close()


def test_a_pod_without_a_token_is_told_so(api, pod, tmp_path):
    (tmp_path / "token").unlink()
    target = asking(tmp_path / "nothing")

    said, _ = refused(target)

    assert "Service token file does not exist" in said
    assert "and no kubeconfig: " in said


def test_outside_of_a_cluster_a_kubeconfig_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    target = asking(tmp_path / "nothing")

    said, _ = refused(target)

    assert "in no pod with a ServiceAccount's token" in said
    assert "and no kubeconfig: Invalid kube-config file" in said


def test_no_token_is_told_to_anybody(api, tmp_path, target):
    """Of what fails, not even the server's words may give it away."""
    for fault in (status(401, "Unauthorized"), status(500, "x"), says("<html>")):
        api.on("get deployments", fault)
        assert TOKEN not in refused(target)[0]
