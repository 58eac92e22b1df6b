"""Content: publishing costs credits, reading is counted and free."""

from domain.apps import LedgerOperation, Once, Terms


class ContentOperation(LedgerOperation, application="content"):
    """Shared operations, and what publishing and reading cost."""

    DAILY_REWARD = Terms(+1, once=Once.PER_UTC_DAY)
    SIGNUP_CREDIT = Terms(+3, once=Once.PER_OWNER)
    CREDIT_SPEND = Terms(-1)
    CREDIT_ADD = Terms(+10, scope="ledger:credit")
    CONTENT_CREATION = Terms(-5)
    CONTENT_ACCESS = Terms(0)
