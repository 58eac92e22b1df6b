"""Choose by the settings: groups and their bounds, the policy, the target."""

from typing import Final

from controller import classic, policy
from controller.bounds import bounds
from controller.broker import Broker, RedisBroker
from controller.decision import Group
from controller.heartbeats import Heartbeats
from controller.steering import Policy
from controller.targets import Target
from controller.targets.deployment import deployments_of
from controller.targets.local import SIZE_MAX, LocalTarget
from controller.targets.none import NoTarget
from domain.settings import Settings
from domain.workers import GROUPS, WorkerGroup

POLICIES: Final[dict[str, tuple[Policy, str]]] = {
    "age": (policy.decide, policy.VERSION),
    "classic": (classic.decide, classic.VERSION),
}


def groups(
    settings: Settings, *, start_seconds: float
) -> list[tuple[WorkerGroup, Group]]:
    """Return each group of workers, and what policies are told of it."""
    here = settings.controller_target == LocalTarget.name
    most = SIZE_MAX if here else None
    chosen = bounds(settings.controller_bounds, size_max=most)
    return [
        (
            workers,
            Group(
                name=name,
                target_seconds=workers.target_seconds,
                least=chosen[name].least,
                most=chosen[name].most,
                start_seconds=start_seconds,
                # One that runs four at once is busy with each for a quarter of it.
                service_seconds=workers.service_seconds / workers.slots,
            ),
        )
        for name, workers in GROUPS.items()
    ]


def broker(settings: Settings) -> Broker | None:
    """Return the broker in use; None when workers ask the database."""
    if settings.rabbitmq_url:
        # Not above: each client is read only where it is used, for its size.
        from controller.rabbitmq import RabbitBroker  # noqa: PLC0415

        return RabbitBroker(settings.rabbitmq_url)
    return RedisBroker(settings.redis_url) if settings.redis_url else None


def target(settings: Settings, heartbeats: Heartbeats) -> Target:
    """Return whom sizes are told to, or raise Unavailable when it cannot be."""
    if settings.controller_target == "local":
        return LocalTarget(settings.workers_socket)
    if settings.controller_target == "celery":
        from controller.targets.celery import CeleryTarget  # noqa: PLC0415

        return CeleryTarget(settings.broker_url)
    if settings.controller_target == "kubernetes":
        from controller.targets.kubernetes import KubernetesTarget  # noqa: PLC0415

        deployments = deployments_of(settings.controller_deployments)
        return KubernetesTarget(deployments, busy=heartbeats.busy)
    return NoTarget(heartbeats.alive)
