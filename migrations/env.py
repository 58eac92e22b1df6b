"""Alembic's environment: the models' metadata, and DATABASE_URL from outside."""

import os
import re

from alembic import context
from sqlalchemy import Connection

import domain.audit_events
import domain.blocklist
import domain.bounties.record
import domain.content
import domain.councils.record
import domain.external_identities
import domain.governance.record
import domain.governance.voting_record
import domain.keys
import domain.roles
import domain.scaling
import domain.signatures
import domain.signing_keys
import domain.wallets
import domain.webhooks
import domain.workers
import domain.workload  # noqa: F401  tables register themselves when imported
from domain.db import Base, create_engine
from domain.settings import Settings

# Two processes that migrate at once would both create the same tables.
_ONE_AT_A_TIME = 0x7065_6F70


# Partitions are their table's own affair.
_PARTITION = re.compile(r"secret_ballots_\d\d")


def _is_modelled(name: str | None, kind: str, _parents: object) -> bool:
    """Say whether a model tells what something in the database is like."""
    return kind != "table" or not _PARTITION.fullmatch(name or "")


def run() -> None:
    """Migrate inside one transaction, one process at a time."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    engine = create_engine(Settings.from_environ(os.environ), role=False)
    with engine.connect() as connection:
        _migrate(connection)
    engine.dispose()


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        include_name=_is_modelled,
    )
    with context.begin_transaction():
        # It takes as long as it takes, and so does the one we wait for. For a lock that
        # writers hold it waits no longer than they would for it.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})")
        connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
        context.run_migrations()


run()
