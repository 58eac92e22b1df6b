"""What a write takes on disk, table by table and index by index."""

from bench.stack import Stack

_SIZES = """
    SELECT c.relname AS name, t.relname AS of_table, pg_relation_size(c.oid) AS bytes
    FROM pg_class c
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    JOIN pg_class t ON t.oid = coalesce(i.indrelid, c.oid)
    WHERE t.relname IN ('transfers', 'jobs', 'accounts') AND c.relkind IN ('r', 'i')
    ORDER BY t.relname DESC, c.relkind DESC, c.relname
"""


def measure(stack: Stack) -> dict[str, float]:
    """Return bytes a transfer; of the job's too while each write was one transfer."""
    total = max(1, int(stack.value("SELECT count(*) FROM transfers")))
    return {
        f"{row.of_table}: {row.name}": row.bytes / total for row in stack.rows(_SIZES)
    }
