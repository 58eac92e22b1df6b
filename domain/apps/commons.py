"""The commons: credits of the community as a whole."""

from domain.apps import LedgerOperation, Once, Terms


class CommonsOperation(LedgerOperation, application="commons"):
    """Shared operations and nothing else."""

    DAILY_REWARD = Terms(+1, once=Once.PER_UTC_DAY)
    SIGNUP_CREDIT = Terms(+3, once=Once.PER_OWNER)
    CREDIT_SPEND = Terms(-1)
    CREDIT_ADD = Terms(+10, scope="ledger:credit")
