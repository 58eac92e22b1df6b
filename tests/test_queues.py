"""Every queue has a file, a kind of job, and someone who works on it."""

import pytest
import yaml
from celery.exceptions import QueueNotFound

import celeryconfig
import tasks
from celeryconfig import QUEUES
from tasks import kinds
from tests.databases import ROOT

MINUTE = 60


def commands():
    """Yield the place and the words of every command that some deployment runs."""
    for line in (ROOT / "Procfile").read_text().splitlines():
        yield "Procfile", line.partition(":")[2].split()
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for service in compose["services"].values():
        yield "docker-compose.yml", service.get("command", "").split()


def consumed(command):
    """Return the queues a worker takes from: all of them, unless it is told."""

    def named(option):
        return set(command[command.index(option) + 1].split(","))

    if "--queues" in command:
        return named("--queues")
    return set(QUEUES) - (
        named("--exclude-queues") if "--exclude-queues" in command else set()
    )


def test_a_file_of_tasks_is_a_queue():
    files = {path.stem for path in (ROOT / "tasks").glob("[!_]*.py")}

    queues = {"governance", "ledger", "mail", "maintenance", "webhooks"}
    assert set(QUEUES) == files == queues


@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_has_kinds_of_its_own(queue):
    assert [name for name in kinds if name.startswith(f"{queue}.")]


@pytest.mark.parametrize("name", kinds)
def test_a_kind_names_its_queue_and_has_one_handler(name):
    kind = kinds[name]

    assert kind.name == name
    assert kind.queue in QUEUES
    assert (kind.batch is None) != (kind.long is None)


def test_a_kind_with_a_period_runs_alone():
    assert all(kind.long for kind in kinds.values() if kind.every_seconds)


@pytest.mark.parametrize("place", ["Procfile", "docker-compose.yml"])
def test_every_queue_is_consumed(place):
    workers = [
        words for where, words in commands() if where == place and "worker" in words
    ]

    assert set().union(*map(consumed, workers)) == set(QUEUES)


@pytest.mark.parametrize("queue", QUEUES)
def test_a_doorbell_goes_to_its_own_queue(queue):
    router = tasks.app.amqp.router

    for task in (f"{queue}.drain", f"{queue}.submit_slot"):
        assert task in tasks.app.tasks
        assert router.route({}, task)["queue"].name == queue


def test_queues_do_not_share_an_exchange_or_a_key():
    declared = tasks.app.amqp.queues.values()
    bindings = {(queue.exchange.name, queue.routing_key) for queue in declared}

    assert bindings == {(queue, queue) for queue in QUEUES}


def test_a_misspelt_queue_is_refused():
    with pytest.raises(QueueNotFound):
        tasks.app.amqp.router.route({"queue": "leger"}, "ledger.drain")


def test_a_worker_has_stopped_before_its_host_insists():
    assert celeryconfig.worker_soft_shutdown_timeout < MINUTE


def test_who_rings_waits_half_a_second_at_most():
    transport = celeryconfig.PUBLISHER_TRANSPORT

    assert transport["socket_timeout"] == transport["socket_connect_timeout"] == 0.5


def test_workers_and_publishers_use_the_same_keys():
    prefixes = {
        transport["global_keyprefix"]
        for transport in (
            celeryconfig.WORKER_TRANSPORT,
            celeryconfig.PUBLISHER_TRANSPORT,
        )
    }

    assert len(prefixes) == 1
