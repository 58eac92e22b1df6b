"""People: accounts, logins, roles with an end, keys that sign, identities elsewhere."""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE users (
    id uuid PRIMARY KEY,
    -- "C": in a Turkish database, say, lower('I') would be no 'i'.
    username text COLLATE "C" NOT NULL,
    email text COLLATE "C",
    password_hash text,
    display_name text,
    bio text,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT username_shape CHECK (username ~ '^[A-Za-z0-9._-]{3,32}$'),
    CONSTRAINT forgotten_when_deleted CHECK (deleted_at IS NULL OR
        coalesce(email, password_hash, display_name, bio) IS NULL)
);
-- A name is never given twice, be its first bearer gone: the books still know them.
CREATE UNIQUE INDEX users_username ON users (lower(username));
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE logins (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    device text,
    family_digest bytea NOT NULL,
    current_digest bytea NOT NULL,
    previous_digest bytea,
    chain_key bytea NOT NULL,
    started_at timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX logins_user ON logins (user_id, id);

CREATE TABLE role_grants (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    role text NOT NULL,
    -- A person, or an application's key; null: the operator's command line.
    granted_by uuid,
    granted_at timestamptz NOT NULL,
    ends_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT ends_after_it_began CHECK (ends_at > granted_at)
);
CREATE INDEX role_grants_user ON role_grants (user_id, id);
CREATE UNIQUE INDEX role_grants_standing ON role_grants (user_id, role)
    WHERE revoked_at IS NULL;

CREATE TABLE signing_keys (
    id uuid PRIMARY KEY,
    salt bytea NOT NULL,
    proof bytea NOT NULL,
    signs_from timestamptz NOT NULL
);

CREATE TABLE external_identities (
    issuer text,
    subject text,
    user_id uuid NOT NULL REFERENCES users,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX external_identities_user ON external_identities (user_id);
"""

ROLE = """
-- Nobody's row is ever deleted, and no name changed: history keeps who it was.
GRANT SELECT, INSERT, UPDATE (email, password_hash, display_name, bio, deleted_at)
    ON users TO coin_app;
GRANT SELECT, INSERT, DELETE, UPDATE (current_digest, previous_digest, refreshed_at,
    expires_at, ended_at) ON logins TO coin_app;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON role_grants TO coin_app;
GRANT SELECT, INSERT, DELETE ON signing_keys, external_identities TO coin_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(ROLE)


def downgrade() -> None:
    op.execute("""
        DROP TABLE external_identities, signing_keys, role_grants, logins, users;
    """)
