"""Audit events, wallets, and whose accounts demand signatures."""

from alembic import op

revision = "0004"
down_revision = "0003"

AUDIT_EVENTS = """
-- Ids follow the order of arrival, not of commit: what is chained later is chained once
-- no older transaction can still add to it.
CREATE TABLE audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    action text NOT NULL,
    application text, -- null: of the whole installation
    actor uuid, -- null: the operator's own command, or nobody known
    subject text NOT NULL,
    details jsonb NOT NULL,
    request_id text,
    CONSTRAINT dotted_action CHECK (action ~ '^[a-z_]+([.][a-z_]+)+$'),
    CONSTRAINT short_texts CHECK (length(action) <= 100 AND length(subject) <= 300
        AND length(request_id) <= 128),
    CONSTRAINT bounded_details CHECK (
        jsonb_typeof(details) = 'object' AND octet_length(details::text) <= 4096)
);
CREATE INDEX audit_events_at ON audit_events (at);
CREATE INDEX audit_events_action ON audit_events (action, id);
CREATE INDEX audit_events_application ON audit_events (application, id);
CREATE INDEX audit_events_actor ON audit_events (actor, id);
CREATE INDEX audit_events_subject ON audit_events (subject, id);
CREATE TRIGGER audit_events_immutable BEFORE UPDATE OR DELETE OR TRUNCATE
    ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
GRANT SELECT, INSERT ON audit_events TO coin_app;
"""

WALLETS = """
CREATE TABLE wallets (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    network text NOT NULL,
    address text NOT NULL,
    label text NOT NULL,
    is_primary boolean NOT NULL,
    public_key bytea,
    challenge bytea, -- its digest
    challenge_until timestamptz,
    proved_at timestamptz,
    created_at timestamptz NOT NULL,
    removed_at timestamptz,
    CONSTRAINT ed25519_key CHECK (octet_length(public_key) = 32),
    CONSTRAINT proved_with_key CHECK (proved_at IS NULL OR public_key IS NOT NULL),
    CONSTRAINT primary_not_removed CHECK (NOT is_primary OR removed_at IS NULL)
);
CREATE UNIQUE INDEX wallets_primary ON wallets (user_id) WHERE is_primary;
CREATE UNIQUE INDEX wallets_address ON wallets (user_id, network, address)
    WHERE removed_at IS NULL;
CREATE INDEX wallets_user ON wallets (user_id, id);
-- Another key is another wallet: a proof is of the key it was made with.
GRANT SELECT, INSERT, UPDATE (label, is_primary, challenge, challenge_until, proved_at,
    removed_at) ON wallets TO coin_app;
"""

SIGNATURES = """
CREATE TABLE signature_demands (
    user_id uuid PRIMARY KEY REFERENCES users,
    since timestamptz NOT NULL
);
CREATE TABLE used_signatures (
    digest bytea PRIMARY KEY,
    principal uuid NOT NULL,
    kept_until timestamptz NOT NULL
);
CREATE INDEX used_signatures_kept_until ON used_signatures (kept_until);
GRANT SELECT, INSERT, DELETE ON signature_demands TO coin_app;
-- To pass over what another forgets at the same time, a row is locked first, and for
-- that the right to update one column is asked.
GRANT SELECT, INSERT, DELETE, UPDATE (kept_until) ON used_signatures TO coin_app;
"""


def upgrade() -> None:
    for script in (AUDIT_EVENTS, WALLETS, SIGNATURES):
        op.execute(script)
    # What pages of keys go by; those there are already get theirs as they lie.
    op.execute("""
        ALTER TABLE api_keys ADD position bigint GENERATED ALWAYS AS IDENTITY
    """)


def downgrade() -> None:
    op.execute("""
        ALTER TABLE api_keys DROP position;
        DROP TABLE audit_events, wallets, signature_demands, used_signatures;
    """)
