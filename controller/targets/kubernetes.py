"""Deployments of a Kubernetes cluster: told by their `scale`, ended where idle."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from controller.targets import Observed, Unavailable
from controller.targets.deployment import Changed, Deployment, Scale, costs
from controller.targets.patience import Deadline, Patience

if TYPE_CHECKING:
    from controller.targets.cluster import Cluster

_log = structlog.get_logger()

# Less than a tick, so that whoever decides is not kept from deciding.
_SECONDS: Final = 4.0
_TRIES: Final = 5
_BETWEEN_TRIES_SECONDS: Final = 0.2
_OWNERS_KEPT_SECONDS: Final = 60.0


class KubernetesTarget:
    """Tells Deployments how many pods to have, unless something else does.

    `busy` says how many jobs the workers of a group have in hand, by the name of their
    pod, as their heartbeats tell.
    """

    name: Final = "kubernetes"
    start_seconds: Final = 30.0
    here: Final = False

    def __init__(
        self,
        deployments: Mapping[str, Deployment],
        *,
        busy: Callable[[str], Mapping[str, int]],
        kubeconfig: str | None = None,
        seconds: float = _SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            # Not above: the client is there, and is read, only where it is chosen.
            from controller.targets.cluster import Cluster  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise Unavailable(
                "the target kubernetes needs a client: pip install '.[kubernetes]'"
            ) from error
        self._connect: Callable[[], Cluster] = partial(Cluster, kubeconfig, clock)
        self._deployments = deployments
        self._busy = busy
        self._clock = clock
        self._patience = Patience(seconds)
        self._cluster: Cluster | None = None
        self._owners: dict[str, tuple[float, Mapping[str, str]]] = {}

    def observe(self, group: str) -> Observed:
        """Return what a Deployment was told, and how many of its pods are ready."""
        with _nothing_but_unavailable():
            return self._patience.ask(partial(self._observe, group))

    def apply(self, group: str, size: int, observed: Observed) -> int:
        """Tell a Deployment a size, if it still has the one that was observed.

        Before it has fewer, its pods are told what they cost. If they cannot be, it
        keeps its size: pods too many cost money, and a busy one that ends costs work.
        """
        with _nothing_but_unavailable():
            if observed.owned_by:
                raise Unavailable(f"{group} is sized by {observed.owned_by}")
            busy = self._busy(group) if size < observed.size else {}
            return self._patience.ask(
                partial(self._apply, group, size, observed.size, busy)
            )

    def close(self) -> None:
        """Let go of connections."""
        if self._cluster is not None:
            self._cluster.close()

    def _observe(self, group: str, deadline: Deadline) -> Observed:
        deployment, cluster = self._deployment(group), self._connected()
        owner = self._owners_in(deployment.namespace, deadline).get(deployment.name)
        state = cluster.state(deployment, deadline)
        return Observed(
            size=state.size, ready=state.ready, notes=state.troubles, owned_by=owner
        )

    def _apply(
        self,
        group: str,
        size: int,
        observed: int,
        busy: Mapping[str, int],
        deadline: Deadline,
    ) -> int:
        deployment, cluster = self._deployment(group), self._connected()
        for _ in range(_TRIES):
            scale = cluster.scale(deployment, deadline)
            if scale.size == size:
                return size
            if scale.size != observed:
                raise Unavailable(
                    f"somebody else told {deployment} to have {scale.size}, where it "
                    f"had {observed}; the next decision is on what it has now"
                )
            try:
                if size < observed:
                    self._price(deployment, scale, busy, deadline)
                cluster.resize(deployment, scale, size, deadline)
            except Changed:
                time.sleep(random.uniform(0, _BETWEEN_TRIES_SECONDS))  # noqa: S311
            else:
                return size
        raise Unavailable(
            f"somebody else changed {deployment} {_TRIES} times while it was told "
            f"{size}; `kubectl get deployment --show-managed-fields` says who"
        )

    def _price(
        self,
        deployment: Deployment,
        scale: Scale,
        busy: Mapping[str, int],
        deadline: Deadline,
    ) -> None:
        """Tell the cluster which pods to end first."""
        if not scale.selector:
            raise Unavailable(f"{deployment} does not say which pods are its own")
        cluster, namespace = self._connected(), deployment.namespace
        pods = cluster.pods(namespace, scale.selector, deadline)
        for pod, cost in zip(pods, costs(pods, busy), strict=True):
            if pod.cost != cost:
                cluster.price(namespace, pod.name, cost, deadline)

    def _owners_in(self, namespace: str, deadline: Deadline) -> Mapping[str, str]:
        kept_until, owners = self._owners.get(namespace, (0.0, {}))
        if self._clock() >= kept_until:
            owners = self._connected().owners(namespace, deadline)
            self._owners[namespace] = self._clock() + _OWNERS_KEPT_SECONDS, owners
        return owners

    def _deployment(self, group: str) -> Deployment:
        if group not in self._deployments:
            raise Unavailable(
                f"no Deployment is named for {group}: CONTROLLER_DEPLOYMENTS="
                f"{group}=namespace/name"
            )
        return self._deployments[group]

    def _connected(self) -> "Cluster":
        if self._cluster is None:
            self._cluster = self._connect()
        return self._cluster


@contextmanager
def _nothing_but_unavailable() -> Iterator[None]:
    """Let a controller go on whatever happens to its target."""
    try:
        yield
    except Unavailable:
        raise
    except TimeoutError as error:
        raise Unavailable(
            f"the cluster is slow ({error}); look at its API server"
        ) from error
    except Exception as error:
        _log.exception("target_broken", target=KubernetesTarget.name)
        raise Unavailable(f"{type(error).__name__}: {error}") from error
