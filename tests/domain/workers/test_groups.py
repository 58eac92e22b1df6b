"""Groups: every queue has one, and so has every worker."""

import pytest

from celeryconfig import QUEUES
from domain.workers import (
    GROUPS,
    LEDGER,
    OUTBOUND,
    group_of,
    group_serving,
    slots_of,
)


@pytest.mark.parametrize(
    ("queue", "group"),
    [
        ("ledger", LEDGER),
        ("maintenance", LEDGER),
        ("mail", OUTBOUND),
        ("webhooks", OUTBOUND),
        # A queue that is added one day is served without being named.
        ("unheard_of", LEDGER),
    ],
)
def test_a_queue_belongs_to_the_group_that_names_it_or_to_the_ledgers(queue, group):
    assert group_of(queue) is group


def test_a_group_names_only_queues_that_there_are():
    named = {queue for group in GROUPS.values() for queue in group.queues or ()}

    assert named <= set(QUEUES)


@pytest.mark.parametrize(
    ("queues", "group"),
    [
        (["mail", "webhooks"], OUTBOUND),
        (["webhooks"], OUTBOUND),
        (["ledger", "maintenance"], LEDGER),
        (QUEUES, LEDGER),
        (["ledger", "mail"], LEDGER),
        ([], LEDGER),
    ],
)
def test_a_worker_belongs_to_the_group_it_serves_and_else_to_the_ledgers(queues, group):
    assert group_serving(queues) is group


def test_one_worker_posts_more_webhooks_at_once_than_it_sends_mails():
    assert [slots_of(queue) for queue in ("ledger", "mail", "webhooks")] == [1, 4, 32]
