"""The blocklist, which outlives every process."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE blocks (
            id uuid PRIMARY KEY,
            network cidr,
            principal uuid,
            reason text NOT NULL,
            actor uuid, -- null: nobody, it was automatic
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            lifted_at timestamptz,
            lifted_by uuid,
            CONSTRAINT network_or_principal CHECK (
                (network IS NULL) <> (principal IS NULL)),
            CONSTRAINT ends_after_its_beginning CHECK (expires_at > created_at)
        );
        CREATE INDEX blocks_expires ON blocks (expires_at);
        -- An entry is ended, never rewritten.
        GRANT SELECT, INSERT, UPDATE (lifted_at, lifted_by) ON blocks TO coin_app;
    """)


def downgrade() -> None:
    op.execute("DROP TABLE blocks")
