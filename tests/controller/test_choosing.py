"""What the settings choose: groups with their bounds, the broker, the target."""

import pytest

from controller import choosing
from controller.bounds import BadBounds
from controller.broker import RedisBroker
from controller.heartbeats import Heartbeats
from controller.rabbitmq import RabbitBroker
from controller.targets.celery import CeleryTarget
from controller.targets.local import SIZE_MAX, LocalTarget
from controller.targets.none import NoTarget
from domain.settings import Settings
from tasks import _pool

DATABASE = "postgresql://x@127.0.0.1:9/x"
TARGETS = {"local": LocalTarget, "celery": CeleryTarget, "none": NoTarget}


def settings(**fields):
    return Settings(
        database_url=DATABASE, **{"redis_url": "redis://127.0.0.1:9", **fields}
    )


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_chosen_by_its_name(name):
    chosen = settings(controller_target=name, workers_socket="/nowhere.sock")

    target = choosing.target(chosen, Heartbeats(None, None))

    assert type(target) is TARGETS[name]


def test_the_broker_is_the_one_that_is_used():
    rabbitmq = settings(rabbitmq_url="amqp://127.0.0.1:9//")

    assert isinstance(choosing.broker(settings()), RedisBroker)
    assert isinstance(choosing.broker(rabbitmq), RabbitBroker)
    assert choosing.broker(settings(redis_url="")) is None


def test_groups_have_the_bounds_that_are_set_and_their_own_otherwise():
    chosen = settings(controller_bounds="ledger=2-3")

    found = {
        group.name: group for _, group in choosing.groups(chosen, start_seconds=1.0)
    }

    assert (found["ledger"].least, found["ledger"].most) == (2, 3)
    assert (found["outbound"].least, found["outbound"].most) == (1, 8)


def test_the_pool_of_this_host_takes_as_many_as_the_controller_thinks():
    many = {"controller_bounds": f"ledger=1-{SIZE_MAX + 1}"}
    with pytest.raises(BadBounds):
        choosing.groups(settings(controller_target="local", **many), start_seconds=1)

    assert SIZE_MAX == _pool.SIZE_MAX
    assert choosing.groups(
        settings(controller_target="celery", **many), start_seconds=1
    )


def test_what_a_job_takes_is_a_workers_share_of_it():
    """A worker that sends four mails at once is busy a quarter of the time of each."""
    ((_, ledger), (outbound_workers, outbound)) = choosing.groups(
        settings(), start_seconds=1.0
    )

    assert outbound_workers.slots == 4
    assert (ledger.service_seconds, outbound.service_seconds) == (0.02, 0.125)


def test_both_policies_can_be_chosen():
    assert choosing.POLICIES.keys() == {"age", "classic"}
