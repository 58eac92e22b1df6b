"""Workers that are alive, what was measured of their work, and how they were sized.

Kept as one column of JSON each: what is measured changes with the code, and is read
whole. The role `coin_observer` may read what is shown of it, and nothing else.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = """
-- Written every two seconds and worth nothing after a crash: not in the log.
CREATE UNLOGGED TABLE workers (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    worker_group text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    slots smallint NOT NULL, -- jobs it runs at once
    busy smallint NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);
CREATE UNLOGGED TABLE work_done (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    jobs integer NOT NULL,
    refused integer NOT NULL,
    failed integer NOT NULL,
    seconds double precision NOT NULL, -- that workers were busy with them
    cpu_seconds double precision NOT NULL
);
CREATE INDEX work_done_at ON work_done (at);

CREATE TABLE workload_samples (
    at timestamptz PRIMARY KEY,
    seconds double precision NOT NULL, -- since the sample before
    measured jsonb NOT NULL
);

CREATE TABLE controller_orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    worker_group text NOT NULL,
    size smallint, -- null: as many as there are
    until timestamptz,
    given_by text NOT NULL,
    reason text NOT NULL,
    withdrawn_at timestamptz,
    CONSTRAINT some_worker CHECK (size > 0)
);
CREATE INDEX controller_orders_group ON controller_orders (worker_group, id);

CREATE TABLE controller_actions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    until timestamptz NOT NULL, -- of the last cycle that this row tells of
    cycles integer NOT NULL DEFAULT 1,
    worker_group text NOT NULL,
    mode text NOT NULL,
    policy text NOT NULL,
    target text NOT NULL,
    current smallint, -- null: nobody could say
    desired smallint,
    ordered smallint, -- null: the target was told nothing
    need double precision,
    needs jsonb NOT NULL,
    clamps jsonb NOT NULL,
    reason text NOT NULL,
    inputs jsonb NOT NULL,
    result text NOT NULL,
    ms double precision NOT NULL,
    controller text NOT NULL,
    order_id bigint REFERENCES controller_orders,
    CONSTRAINT known_mode CHECK (
        mode IN ('active', 'dry_run', 'ordered', 'held', 'observing'))
);
CREATE INDEX controller_actions_group ON controller_actions (worker_group, at);
CREATE INDEX controller_actions_until ON controller_actions (until);
"""

ROLE = """
GRANT SELECT, INSERT, UPDATE, DELETE ON workers TO coin_app;
GRANT SELECT, INSERT, DELETE ON work_done, workload_samples TO coin_app;
GRANT SELECT, INSERT, DELETE, UPDATE (until, cycles)
    ON controller_actions TO coin_app;
GRANT SELECT, INSERT, UPDATE (withdrawn_at) ON controller_orders TO coin_app;
"""

# As with coin_app, the role belongs to the whole server (migration 0001).
OBSERVER = """
DO $$
BEGIN
    IF to_regrole('coin_observer') IS NULL THEN
        CREATE ROLE coin_observer NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
-- Only the observability node takes it: whoever may not grant it goes on without.
DO $$
BEGIN
    SET LOCAL ROLE coin_observer;
    RESET ROLE;
EXCEPTION WHEN insufficient_privilege THEN
    BEGIN
        EXECUTE format('GRANT coin_observer TO %I', current_user);
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
END $$;
GRANT USAGE ON SCHEMA public TO coin_observer;
GRANT SELECT ON workload_samples, controller_actions, audit_events TO coin_observer;
"""

# Whose credential is it? The role may ask, and read none: what is compared with stays
# with the tables' owner. Who is blocked is nobody.
CREDENTIALS = """
-- The half of a signing key that is no secret, while the API stands by the key.
ALTER TABLE signing_keys ADD public_key bytea;
GRANT UPDATE (public_key) ON signing_keys TO coin_app;
GRANT SELECT (id, public_key) ON signing_keys TO coin_observer;

CREATE FUNCTION blocked(who uuid) RETURNS boolean STABLE
LANGUAGE sql SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM blocks WHERE principal = who
        AND lifted_at IS NULL AND expires_at > now())
$$;
CREATE FUNCTION observer_key(given_id text, given_digest bytea)
RETURNS TABLE (principal uuid, application text, scopes text[]) STABLE
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT principal, application, scopes FROM api_keys
    WHERE id = given_id AND digest = given_digest AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > now()) AND NOT blocked(principal)
$$;
-- Null: this login is over, or was never one of this person.
CREATE FUNCTION observer_roles(login_id uuid, person uuid) RETURNS text[] STABLE
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT array_remove(array_agg(role), NULL)
    FROM logins JOIN users ON users.id = user_id
    LEFT JOIN role_grants ON role_grants.user_id = users.id
        AND granted_at <= now() AND revoked_at IS NULL
        AND (ends_at IS NULL OR ends_at > now())
    WHERE logins.id = login_id AND users.id = person AND deleted_at IS NULL
        AND ended_at IS NULL AND expires_at > now() AND NOT blocked(person)
    GROUP BY logins.id
$$;
REVOKE ALL ON FUNCTION blocked, observer_key, observer_roles FROM PUBLIC;
GRANT EXECUTE ON FUNCTION observer_key, observer_roles TO coin_observer;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(ROLE)
    op.execute(OBSERVER)
    op.execute(CREDENTIALS)


def downgrade() -> None:
    op.execute("DROP TABLE controller_actions, controller_orders, workload_samples;")
    op.execute("DROP TABLE work_done, workers;")
    # Like coin_app, the role stays: other databases of the server may use it.
    op.execute("DROP FUNCTION observer_key, observer_roles, blocked;")
    op.execute("ALTER TABLE signing_keys DROP public_key;")
    op.execute("REVOKE ALL ON audit_events FROM coin_observer;")
    op.execute("REVOKE USAGE ON SCHEMA public FROM coin_observer;")
