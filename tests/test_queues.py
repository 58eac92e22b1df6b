"""Every queue is a file with kinds of job, routed, and named by what it holds."""

from pathlib import Path

import celeryconfig
import tasks
from tasks._registry import kinds

FOLDER = Path(tasks.__file__).parent


def test_every_file_without_an_underscore_is_a_queue():
    stems = {path.stem for path in FOLDER.glob("*.py") if path.stem[0] != "_"}

    assert set(celeryconfig.QUEUES) == stems


def test_every_queue_has_a_binding_of_its_own():
    bindings = {(q.exchange.name, q.routing_key) for q in celeryconfig.task_queues}

    assert bindings == {(name, name) for name in celeryconfig.QUEUES}


def test_every_queue_has_a_kind_of_job_and_every_kind_a_queue():
    assert {kind.queue for kind in kinds.values()} == set(celeryconfig.QUEUES)


def test_every_task_is_routed_to_the_queue_it_names():
    named = [name for name in tasks.app.tasks if not name.startswith("celery.")]
    router = tasks.app.amqp.router

    assert {router.route({}, name)["queue"].name for name in named} == set(
        celeryconfig.QUEUES
    )
    assert all(
        router.route({}, name)["queue"].name == name.partition(".")[0] for name in named
    )


def test_every_periodic_kind_is_on_beats_schedule():
    periodic = {name for name, kind in kinds.items() if kind.every_seconds}

    assert periodic == set(tasks.app.conf.beat_schedule)
    assert all(
        entry["task"] in tasks.app.tasks
        for entry in tasks.app.conf.beat_schedule.values()
    )


def test_a_kind_has_one_handler_and_only_long_ones_a_period():
    assert all((kind.batch is None) != (kind.long is None) for kind in kinds.values())
    assert all(kind.long for kind in kinds.values() if kind.every_seconds)
