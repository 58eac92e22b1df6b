"""What sizing asks of the Kubernetes API, through the official client.

Whatever fails is Unavailable, and says what to do. Imported only where it is chosen:
the client takes 126 MB of disk, 46 MB of memory, and a second and a half to be read.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from kubernetes.client import (
    ApiClient,
    ApiException,
    AppsV1Api,
    Configuration,
    CoreV1Api,
    CustomObjectsApi,
    V1ObjectMeta,
    V1Scale,
    V1ScaleSpec,
)
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from urllib3.exceptions import HTTPError

from controller.targets import Unavailable
from controller.targets.deployment import (
    DELETION_COST,
    Changed,
    Deployment,
    Pod,
    Scale,
    State,
)
from controller.targets.patience import Deadline

_CONNECT_SECONDS: Final = 1.0
_READ_SECONDS: Final = 2.0
# For no longer is the server left alone, whatever it asks for.
_QUIET_SECONDS_MAX: Final = 60.0
_LISTED_MAX: Final = 500
_SAID_LENGTH_MAX: Final = 200
_SECONDS: Final = re.compile(r"[0-9]{1,9}")

# Who else may own a Deployment's size, by kind, group, version and plural. KEDA scales
# by a HorizontalPodAutoscaler that it makes, so its own object is the one to name.
_KEDA: Final = ("ScaledObject", "keda.sh", "v1alpha1", "scaledobjects")
_HPA: Final = (
    "HorizontalPodAutoscaler",
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
)


class Forbidden(Unavailable):
    """The API server knows us, and says no."""


class NotThere(Unavailable):
    """There is no such object, or no such kind of object."""


class Cluster:
    """The API server, with the rights of this pod or of whom KUBECONFIG names."""

    def __init__(
        self, kubeconfig: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = _connect(kubeconfig)
        self._apps = AppsV1Api(self._client)
        self._core = CoreV1Api(self._client)
        self._others = CustomObjectsApi(self._client)
        self._clock = clock
        self._quiet_until = clock()

    def state(self, of: Deployment, deadline: Deadline) -> State:
        """Return how many pods a Deployment was told to have, and how many work."""
        read = self._ask(
            f"get the Deployment {of}",
            deadline,
            self._apps.read_namespaced_deployment,
            *(of.name, of.namespace),
        )
        # The API leaves zeros out, and lists that are empty.
        return State(
            size=read.spec.replicas or 0,
            ready=read.status.ready_replicas or 0,
            troubles=list(_troubles(read.status.conditions or [])),
        )

    def scale(self, of: Deployment, deadline: Deadline) -> Scale:
        """Return what a Deployment was told, so that it can be told otherwise."""
        read = self._ask(
            f"get the scale of the Deployment {of}",
            deadline,
            self._apps.read_namespaced_deployment_scale,
            *(of.name, of.namespace),
        )
        return Scale(
            size=read.spec.replicas or 0,
            selector=read.status.selector or "",
            version=read.metadata.resource_version,
        )

    def resize(
        self, of: Deployment, read: Scale, size: int, deadline: Deadline
    ) -> None:
        """Tell a Deployment a size, or raise Changed if it is no longer as read."""
        scale = V1Scale(
            api_version="autoscaling/v1",
            kind="Scale",
            metadata=V1ObjectMeta(
                name=of.name, namespace=of.namespace, resource_version=read.version
            ),
            spec=V1ScaleSpec(replicas=size),
        )
        self._ask(
            f"update the scale of the Deployment {of}",
            deadline,
            self._apps.replace_namespaced_deployment_scale,
            *(of.name, of.namespace, scale),
        )

    def pods(self, namespace: str, selector: str, deadline: Deadline) -> list[Pod]:
        """Return whom a selector selects of those that work, or will."""
        what = f"list the pods of {namespace}"
        read = self._ask(
            what,
            deadline,
            self._core.list_namespaced_pod,
            namespace,
            label_selector=selector,
            limit=_LISTED_MAX,
        )
        _all_of(what, read.metadata._continue)  # noqa: SLF001  the client's name
        return [
            Pod(
                name=pod.metadata.name,
                created=pod.metadata.creation_timestamp,
                cost=(pod.metadata.annotations or {}).get(DELETION_COST),
            )
            for pod in read.items
            if pod.metadata.deletion_timestamp is None
            and pod.status.phase not in {"Succeeded", "Failed"}
        ]

    def price(self, namespace: str, pod: str, cost: str, deadline: Deadline) -> None:
        """Say what it costs to end a pod, unless it is gone."""
        try:
            self._ask(
                f"patch the pod {namespace}/{pod}",
                deadline,
                self._core.patch_namespaced_pod,
                *(pod, namespace),
                {"metadata": {"annotations": {DELETION_COST: cost}}},
                _content_type="application/merge-patch+json",
            )
        except NotThere:
            return

    def owners(self, namespace: str, deadline: Deadline) -> dict[str, str]:
        """Return which Deployments of a namespace something else sizes, and what."""
        found = self._sized_by(_HPA, namespace, deadline)
        try:
            found |= self._sized_by(_KEDA, namespace, deadline)
        except (NotThere, Forbidden):
            # Without KEDA there is no such kind. Where we may not look, what it scales
            # is still seen: by the HorizontalPodAutoscaler that it makes for it.
            return found
        return found

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _sized_by(
        self, autoscaler: tuple[str, str, str, str], namespace: str, deadline: Deadline
    ) -> dict[str, str]:
        kind, group, version, plural = autoscaler
        what = f"list the {plural} of {namespace}"
        read = self._ask(
            what,
            deadline,
            self._others.list_namespaced_custom_object,
            *(group, version, namespace, plural),
            limit=_LISTED_MAX,
        )
        _all_of(what, read["metadata"].get("continue"))
        sized = {}
        for one in read["items"]:
            scaled = one["spec"]["scaleTargetRef"]
            if scaled.get("kind", "Deployment") == "Deployment":
                sized[scaled["name"]] = f"{kind} {one['metadata']['name']}"
        return sized

    def _ask(
        self,
        what: str,
        deadline: Deadline,
        call: Callable[..., Any],
        /,
        *arguments: Any,
        **named: Any,
    ) -> Any:
        """Return what a call of the client returns, or say what is wrong with it."""
        quiet = self._quiet_until - self._clock()
        if quiet > 0:
            raise Unavailable(
                f"cannot {what}: the API server asked to be left alone for another "
                f"{quiet:.0f} s; if it often does, look at its priority levels"
            )
        left = deadline.left()
        limits = min(_CONNECT_SECONDS, left), min(_READ_SECONDS, left)
        try:
            return call(*arguments, **named, _request_timeout=limits)
        except ApiException as error:
            raise self._refusal(what, error) from error
        except HTTPError as error:
            raise self._silence(what, type(error).__name__) from error
        except ValueError as error:
            raise Unavailable(
                f"cannot {what}: the answer is not one of a Kubernetes API server"
            ) from error

    def _silence(self, what: str, how: str) -> Unavailable:
        return Unavailable(
            f"cannot {what}: no answer from {self._client.configuration.host} ({how}); "
            "look at the API server, and at what is between"
        )

    def _refusal(self, what: str, error: ApiException) -> Exception:
        said = _said(error)
        match error.status:
            case 0:  # the client's word for TLS that failed
                return self._silence(what, said)
            case 401:
                return Unavailable(
                    f"cannot {what}: the API server does not know us; look at the "
                    f"token of the ServiceAccount, or at KUBECONFIG: {said}"
                )
            case 403:
                return Forbidden(
                    f"may not {what}; grant it, as the Role in "
                    f"deploy/kubernetes/controller.yaml does: {said}"
                )
            case 404:
                return NotThere(
                    f"cannot {what}: it is not there; apply deploy/kubernetes, or "
                    f"correct CONTROLLER_DEPLOYMENTS: {said}"
                )
            case 409:
                return Changed(what)
            case 429 | 503:
                self._be_quiet(error)
        return Unavailable(f"cannot {what}: the API server says {error.status}: {said}")

    def _be_quiet(self, error: ApiException) -> None:
        asked = (error.headers or {}).get("Retry-After", "")
        seconds = float(asked) if _SECONDS.fullmatch(asked) else 0.0
        self._quiet_until = self._clock() + min(seconds, _QUIET_SECONDS_MAX)


def _connect(kubeconfig: str | None) -> Any:
    found = Configuration()
    try:
        try:
            load_incluster_config(client_configuration=found)
        except ConfigException as error:
            outside = f"in no pod with a ServiceAccount's token ({error})"
            load_kube_config(config_file=kubeconfig, client_configuration=found)
    except ConfigException as error:
        raise Unavailable(
            f"there is no cluster to ask: {outside}, and no kubeconfig: {error}"
        ) from error
    # By itself it asks three times more, and in between sleeps as long as it is told.
    found.retries = False
    return ApiClient(found)


def _all_of(what: str, more: str | None) -> None:
    if more:
        raise Unavailable(f"cannot {what}: there are more than {_LISTED_MAX}")


def _troubles(conditions: Sequence[Any]) -> Iterator[str]:
    """Say why a Deployment has not what it was told, where it knows."""
    for condition in conditions:
        if (condition.type, condition.status) in {
            ("ReplicaFailure", "True"),
            ("Progressing", "False"),
        }:
            yield f"{condition.reason}: {condition.message}"[:_SAID_LENGTH_MAX]


def _said(error: ApiException) -> str:
    """Return the server's own words, which tell no secrets, in a line."""
    try:
        said = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        said = error.reason
    return " ".join(str(said).split())[:_SAID_LENGTH_MAX]
