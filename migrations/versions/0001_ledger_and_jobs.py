"""Ledger, jobs, API keys and content, with the role that may only append."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE operations (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application text NOT NULL,
    name text NOT NULL,
    -- What it is worth to its owner; null where the request says (a transfer).
    amount bigint,
    retired boolean NOT NULL DEFAULT false,
    UNIQUE (application, name)
);

-- Balance and version change with every transfer: room on the page keeps those
-- updates off the indexes.
CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application text NOT NULL,
    owner text NOT NULL,
    -- System accounts are split by lane, so that lanes never wait for one another.
    shard smallint NOT NULL DEFAULT 0,
    balance bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    lower_bound bigint DEFAULT 0,
    updated_at timestamptz NOT NULL,
    UNIQUE (application, owner, shard),
    CONSTRAINT balance_within_bound CHECK (balance >= lower_bound)
) WITH (fillfactor = 50);

CREATE TABLE transfers (
    -- Derived from application, principal and nonce: a second copy collides here.
    id uuid PRIMARY KEY,
    debit_account bigint NOT NULL REFERENCES accounts,
    credit_account bigint NOT NULL REFERENCES accounts,
    amount bigint NOT NULL,
    debit_balance bigint NOT NULL,
    credit_balance bigint NOT NULL,
    debit_version bigint NOT NULL,
    credit_version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    job_id uuid NOT NULL,
    reversal_of uuid REFERENCES transfers,
    operation_id smallint NOT NULL REFERENCES operations,
    nonce text NOT NULL,
    once text,
    metadata jsonb,
    CONSTRAINT amount_not_negative CHECK (amount >= 0),
    CONSTRAINT two_accounts CHECK (debit_account <> credit_account)
);
-- A lost update would need two transfers with one version of one account.
CREATE UNIQUE INDEX transfers_debit ON transfers (debit_account, debit_version);
CREATE UNIQUE INDEX transfers_credit ON transfers (credit_account, credit_version);
CREATE UNIQUE INDEX transfers_once ON transfers (once) WHERE once IS NOT NULL;
CREATE INDEX transfers_reversal ON transfers (reversal_of)
    WHERE reversal_of IS NOT NULL;

CREATE VIEW entries AS
SELECT id AS transfer_id, debit_account AS account_id,
       credit_account AS counterparty_id, -amount AS amount,
       debit_balance AS balance_after, debit_version AS version,
       operation_id, nonce, metadata, reversal_of, created_at
FROM transfers
UNION ALL
SELECT id, credit_account, debit_account, amount,
       credit_balance, credit_version,
       operation_id, nonce, metadata, reversal_of, created_at
FROM transfers;

CREATE TABLE contents (
    -- The transfer its owner paid for it.
    id uuid PRIMARY KEY REFERENCES transfers,
    application text NOT NULL,
    owner text NOT NULL,
    title text,
    created_at timestamptz NOT NULL
);


CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    -- The order accepted, by one clock for all hosts.
    position bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    queue text NOT NULL,
    lane smallint NOT NULL,
    size smallint NOT NULL DEFAULT 1,
    state text NOT NULL DEFAULT 'queued',
    attempts smallint NOT NULL DEFAULT 0,
    application text,
    principal uuid,
    idempotency uuid,
    digest uuid,
    request_id text,
    trace text,
    payload json NOT NULL,
    result json,
    problem json,
    submitted_at timestamptz NOT NULL,
    deadline timestamptz NOT NULL,
    run_at timestamptz, -- null: at once
    lease_until timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT known_state CHECK (state IN ('queued', 'running', 'succeeded',
        'refused', 'failed', 'cancelled', 'expired')),
    CONSTRAINT finished_when_final CHECK (
        (finished_at IS NULL) = (state IN ('queued', 'running'))),
    CONSTRAINT result_of_success CHECK ((state = 'succeeded') = (result IS NOT NULL)),
    CONSTRAINT problem_of_refusal CHECK (
        state NOT IN ('refused', 'failed') OR problem IS NOT NULL),
    CONSTRAINT lease_while_running CHECK (
        (lease_until IS NULL) = (state <> 'running'))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX jobs_idempotency ON jobs (idempotency);
CREATE INDEX jobs_queued ON jobs (queue, lane, position) WHERE state = 'queued';
CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_application ON jobs (application, id);

CREATE TABLE api_keys (
    id text PRIMARY KEY,
    name text NOT NULL,
    application text NOT NULL,
    principal uuid NOT NULL,
    scopes text[] NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
"""

IMMUTABLE = """
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the books are only added to',
        TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER transfers_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER contents_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON contents
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER accounts_kept BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- The state machine of jobs. The condition is all that a legal change pays for.
CREATE FUNCTION refuse_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'job % may not go from % to %', OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER jobs_transition BEFORE UPDATE ON jobs FOR EACH ROW
WHEN (CASE OLD.state
    WHEN 'queued' THEN false
    WHEN 'running' THEN NEW.state IN ('cancelled', 'expired')
    WHEN 'failed' THEN NEW.state <> 'queued'
    ELSE true
END)
EXECUTE FUNCTION refuse_transition();
-- Jobs of the system itself (periodic ones) hold nothing anyone relies on.
CREATE TRIGGER jobs_kept BEFORE DELETE ON jobs FOR EACH ROW
    WHEN (OLD.application IS NOT NULL) EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER jobs_not_truncated BEFORE TRUNCATE ON jobs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
"""

# Roles belong to the whole server: another database of it may have made this one,
# this very moment too, or whoever runs the server has made it for us.
ROLE = """
DO $$
BEGIN
    IF to_regrole('coin_app') IS NULL THEN
        CREATE ROLE coin_app NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
    SET LOCAL ROLE coin_app;
    RESET ROLE;
EXCEPTION WHEN insufficient_privilege THEN
    EXECUTE format('GRANT coin_app TO %I', current_user);
END $$;
GRANT USAGE ON SCHEMA public TO coin_app;
GRANT USAGE ON SEQUENCE jobs_position_seq TO coin_app;
GRANT SELECT ON operations, entries, alembic_version TO coin_app;
GRANT SELECT, INSERT ON transfers, contents TO coin_app;
GRANT SELECT, INSERT, UPDATE (balance, version, updated_at) ON accounts TO coin_app;
GRANT SELECT, INSERT, UPDATE (revoked_at, last_used_at) ON api_keys TO coin_app;
-- What was asked for stays as it was asked.
GRANT SELECT, INSERT, DELETE, UPDATE (state, attempts, result, problem, deadline,
    run_at, lease_until, started_at, finished_at) ON jobs TO coin_app;
"""

OPERATIONS = """
INSERT INTO operations (application, name, amount) VALUES
    ('commons', 'DAILY_REWARD', 1),
    ('commons', 'SIGNUP_CREDIT', 3),
    ('commons', 'CREDIT_SPEND', -1),
    ('commons', 'CREDIT_ADD', 10),
    ('commons', 'TRANSFER', NULL),
    ('commons', 'REVERSAL', NULL),
    ('content', 'DAILY_REWARD', 1),
    ('content', 'SIGNUP_CREDIT', 3),
    ('content', 'CREDIT_SPEND', -1),
    ('content', 'CREDIT_ADD', 10),
    ('content', 'CONTENT_CREATION', -5),
    ('content', 'CONTENT_ACCESS', 0),
    ('content', 'TRANSFER', NULL),
    ('content', 'REVERSAL', NULL);
"""


def upgrade() -> None:
    for script in (TABLES, IMMUTABLE, ROLE, OPERATIONS):
        op.execute(script)


def downgrade() -> None:
    op.execute("""
        DROP TABLE api_keys, jobs, contents, transfers, accounts, operations CASCADE;
        DROP FUNCTION refuse_rewriting, refuse_transition;
        REVOKE ALL ON ALL TABLES IN SCHEMA public FROM coin_app;
    """)
