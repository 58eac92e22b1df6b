import pytest

from tasks import batch_job, kinds, long_job


@pytest.fixture
def name():
    yield "ledger.of_this_test"
    kinds.pop("ledger.of_this_test", None)


def test_a_batch_job_is_declared_by_its_name(name):
    @batch_job(name)
    def handler(session, claims, /, *, lane, now):
        return []

    assert kinds[name].batch is handler
    assert (kinds[name].long, kinds[name].queue) == (None, "ledger")


def test_one_handler_may_have_several_kinds():
    handlers = {
        kinds[f"ledger.{kind}"].batch
        for kind in ("post_operation", "post_transfer", "post_batch")
    }

    assert len(handlers) == 1


def test_a_long_job_may_have_a_period(name):
    @long_job(name, every_seconds=60)
    def handler(session, claim, /, *, now):
        return None

    assert (kinds[name].long, kinds[name].every_seconds) == (handler, 60)


def test_a_kind_is_declared_once(name):
    long_job(name)(lambda *_, **__: None)

    with pytest.raises(ValueError, match="is declared twice"):
        batch_job(name)(lambda *_, **__: [])


def test_a_misspelt_option_is_an_error(name):
    with pytest.raises(TypeError):
        long_job(name, every_second=60)
