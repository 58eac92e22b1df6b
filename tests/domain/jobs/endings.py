"""Every way a job ends, each by the statement that ends it."""

from datetime import timedelta

from domain import jobs
from domain.errors import Refused
from domain.jobs import Outcome, Viewer
from tests.factories import NOW

LATER = NOW + timedelta(days=2)


def finish(session, job):
    jobs.finish(session, [Outcome(job.id, result={})], began=NOW, now=NOW)


def refuse(session, job):
    refused = Outcome(job.id, refusal=Refused())
    jobs.finish(session, [refused], began=NOW, now=NOW)


def finish_leased(session, job):
    claim = jobs.lease(session, job.id, until=NOW, now=NOW)
    jobs.finish_leased(session, claim, Outcome(job.id, result={}), now=NOW)


def fail(session, job):
    jobs.fail(session, job.id, attempt=1, attempts_max=1, now=NOW)


def take_back(session, job):
    jobs.lease(session, job.id, until=NOW, now=NOW)
    jobs.take_back(session, attempts_max=1, now=NOW)


def cancel(session, job):
    viewer = Viewer(job.application, job.principal, operator=False)
    jobs.cancel(session, job.id, viewer, now=NOW)


def expire(session, _job):
    jobs.expire(session, count=100_000, now=LATER)


STATES = {
    finish: "succeeded",
    finish_leased: "succeeded",
    refuse: "refused",
    fail: "failed",
    take_back: "failed",
    cancel: "cancelled",
    expire: "expired",
}
