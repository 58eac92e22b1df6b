"""The lanes that have queued jobs, as the beginning of a statement."""

from typing import Final

# One index probe for each, not a scan of the backlog.
LANES: Final = """
    WITH RECURSIVE lanes AS (
        (SELECT queue, lane FROM jobs WHERE state = 'queued'
         ORDER BY queue, lane LIMIT 1)
        UNION ALL
        SELECT next.queue, next.lane FROM lanes, LATERAL (
            SELECT queue, lane FROM jobs
            WHERE state = 'queued'
              AND (jobs.queue, jobs.lane) > (lanes.queue, lanes.lane)
            ORDER BY queue, lane LIMIT 1) AS next
    )"""
