"""Webhooks: who is told of what, what they are told, and how that went."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
CREATE TABLE webhook_endpoints (
    id uuid PRIMARY KEY,
    application text NOT NULL,
    url text NOT NULL,
    description text NOT NULL,
    events text[] NOT NULL,
    -- What the secret is made with, beside one that is not in the database.
    salt bytea NOT NULL,
    previous_salt bytea,
    previous_until timestamptz,
    created_at timestamptz NOT NULL,
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_because text,
    removed_at timestamptz,
    CONSTRAINT known_reason CHECK (
        disabled_because IN ('asked', 'gone', 'failing', 'behind', 'removed')),
    CONSTRAINT disabled_for_a_reason CHECK (
        (disabled_at IS NULL) = (disabled_because IS NULL)),
    CONSTRAINT disabled_when_removed CHECK (
        removed_at IS NULL OR disabled_at IS NOT NULL)
);
CREATE INDEX webhook_endpoints_application ON webhook_endpoints (application, id);

-- One row an event and endpoint, stored by the transaction that made the event so.
CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY,
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoints,
    type text NOT NULL,
    at timestamptz NOT NULL,
    data json NOT NULL,
    request_id text,
    trace text,
    state text NOT NULL DEFAULT 'waiting',
    attempts smallint NOT NULL DEFAULT 0,
    tries smallint NOT NULL DEFAULT 0, -- since it was last asked for
    due_at timestamptz, -- while it is being sent: when that counts as lost
    CONSTRAINT known_state CHECK (
        state IN ('waiting', 'sending', 'delivered', 'failed')),
    CONSTRAINT due_until_settled CHECK (
        (due_at IS NULL) = (state IN ('delivered', 'failed')))
);
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_id, position);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at)
    WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_undelivered ON webhook_deliveries (endpoint_id, state)
    WHERE state <> 'delivered';
CREATE INDEX webhook_deliveries_at ON webhook_deliveries (at);

CREATE TABLE webhook_attempts (
    delivery_id uuid REFERENCES webhook_deliveries ON DELETE CASCADE,
    number smallint,
    at timestamptz NOT NULL,
    ms integer NOT NULL,
    status smallint, -- null: nobody answered
    error text,
    body text,
    PRIMARY KEY (delivery_id, number)
);
"""

ROLE = """
GRANT SELECT, INSERT, UPDATE (url, description, events, salt, previous_salt,
    previous_until, failing_since, disabled_at, disabled_because, removed_at)
    ON webhook_endpoints TO coin_app;
-- What was said stays as it was said, until it is forgotten.
GRANT SELECT, INSERT, DELETE, UPDATE (state, attempts, tries, due_at)
    ON webhook_deliveries TO coin_app;
GRANT SELECT, INSERT ON webhook_attempts TO coin_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(ROLE)


def downgrade() -> None:
    op.execute("""
        DROP TABLE webhook_attempts, webhook_deliveries, webhook_endpoints;
    """)
