"""What must be so of the books after whatever was done to them."""

import sqlalchemy as sa

# Each account against its own entries: nothing lost, doubled, or out of order.
UNSOUND = sa.text("""
    WITH entry AS (
        SELECT *,
            sum(amount) OVER past AS summed,
            row_number() OVER past AS counted,
            lag(created_at, 1, '-infinity') OVER past AS earlier
        FROM entries WINDOW past AS (PARTITION BY account_id ORDER BY version)
    ), of_account AS (
        SELECT account_id, max(version) AS version, sum(amount) AS balance,
            bool_and(balance_after = summed) AS running,
            bool_and(version = counted) AS without_gaps,
            bool_and(created_at >= earlier) AS in_time
        FROM entry GROUP BY account_id
    )
    SELECT accounts.*, of_account.* FROM accounts
    LEFT JOIN of_account ON account_id = id
    WHERE accounts.version <> coalesce(of_account.version, 0)
       OR accounts.balance <> coalesce(of_account.balance, 0)
       OR NOT running OR NOT without_gaps OR NOT in_time
       OR accounts.balance < lower_bound
""")
UNBALANCED = sa.text("""
    SELECT application, sum(balance) FROM accounts
    GROUP BY application HAVING sum(balance) <> 0
""")


def faults(session):
    """Return every account that its entries contradict; the books are whole if none."""
    return [*session.execute(UNSOUND), *session.execute(UNBALANCED)]
