"""Councils and bounties: who sits and why no more, and credits held for a deed."""

from alembic import op

revision = "0009"
down_revision = "0008"

COUNCILS = """
CREATE TABLE council_members (
    id uuid PRIMARY KEY,
    council_id uuid NOT NULL REFERENCES councils,
    user_id uuid NOT NULL REFERENCES users,
    role text NOT NULL,
    affiliation text,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    ended_at timestamptz,
    ended_because text,
    elected_by uuid REFERENCES proposals,
    CONSTRAINT ends_after_it_began CHECK (until > since),
    CONSTRAINT ended_for_a_reason CHECK (
        (ended_at IS NULL) = (ended_because IS NULL)),
    CONSTRAINT known_reason CHECK (ended_because IN (
        'resigned', 'recalled', 'absent', 'replaced', 'expired', 'left'))
);
CREATE UNIQUE INDEX council_members_seated ON council_members (council_id, user_id)
    WHERE ended_at IS NULL;
CREATE INDEX council_members_user ON council_members (user_id, id);
CREATE INDEX council_members_elected_by ON council_members (elected_by);

CREATE TABLE nominations (
    proposal_id uuid REFERENCES proposals,
    user_id uuid REFERENCES users,
    affiliation text,
    statement text NOT NULL,
    at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    PRIMARY KEY (proposal_id, user_id)
);
CREATE TABLE recalls (
    id uuid PRIMARY KEY,
    council_id uuid NOT NULL REFERENCES councils,
    member_id uuid REFERENCES council_members, -- null: the whole council
    reason text NOT NULL,
    called_by uuid NOT NULL REFERENCES users,
    called_at timestamptz NOT NULL,
    seconded_by uuid REFERENCES users,
    seconded_at timestamptz,
    proposal_id uuid REFERENCES proposals,
    CONSTRAINT by_another CHECK (seconded_by <> called_by),
    CONSTRAINT opened_when_seconded CHECK (
        (seconded_at IS NULL) = (proposal_id IS NULL))
);
CREATE INDEX recalls_council ON recalls (council_id, id);
CREATE TABLE absences (
    id uuid PRIMARY KEY,
    member_id uuid NOT NULL REFERENCES council_members,
    reported_by uuid NOT NULL REFERENCES users,
    at timestamptz NOT NULL,
    answered_at timestamptz
);
CREATE UNIQUE INDEX absences_open ON absences (member_id) WHERE answered_at IS NULL;
"""

BOUNTIES = """
CREATE TABLE bounties (
    id uuid PRIMARY KEY,
    creator uuid NOT NULL REFERENCES users,
    proposal_id uuid REFERENCES proposals,
    title text NOT NULL,
    description text NOT NULL,
    reward bigint NOT NULL CHECK (reward > 0), -- credits for each participant
    participants_max smallint NOT NULL CHECK (participants_max > 0),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    held_by uuid NOT NULL REFERENCES transfers,
    closed_at timestamptz,
    refunded_by uuid REFERENCES transfers
);
CREATE INDEX bounties_creator ON bounties (creator, id);
CREATE INDEX bounties_proposal ON bounties (proposal_id, id);
CREATE INDEX bounties_open ON bounties (expires_at) WHERE closed_at IS NULL;
CREATE TABLE bounty_claims (
    bounty_id uuid REFERENCES bounties,
    user_id uuid REFERENCES users,
    proof text NOT NULL,
    at timestamptz NOT NULL,
    rejected_at timestamptz,
    paid_at timestamptz,
    paid_by uuid REFERENCES transfers,
    PRIMARY KEY (bounty_id, user_id),
    CONSTRAINT paid_by_a_transfer CHECK ((paid_at IS NULL) = (paid_by IS NULL)),
    CONSTRAINT not_both CHECK (paid_at IS NULL OR rejected_at IS NULL)
);
"""

_KEPT = (
    *("council_members", "nominations", "recalls", "absences"),
    *("bounties", "bounty_claims"),
)

ROLE = """
-- Whoever changes who sits locks the council, which takes a right to change it.
GRANT UPDATE (description) ON councils TO coin_app;
GRANT SELECT, INSERT, UPDATE (role, ended_at, ended_because) ON council_members
    TO coin_app;
GRANT SELECT, INSERT, UPDATE (affiliation, statement, withdrawn_at) ON nominations
    TO coin_app;
GRANT SELECT, INSERT, UPDATE (seconded_by, seconded_at, proposal_id) ON recalls
    TO coin_app;
GRANT SELECT, INSERT, UPDATE (answered_at) ON absences TO coin_app;
GRANT SELECT, INSERT, UPDATE (closed_at, refunded_by) ON bounties TO coin_app;
GRANT SELECT, INSERT, UPDATE (rejected_at, paid_at, paid_by) ON bounty_claims
    TO coin_app;
GRANT SELECT ON council_members TO coin_observer;
"""


def upgrade() -> None:
    for script in (COUNCILS, BOUNTIES):
        op.execute(script)
    for table in _KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();"
        )
    op.execute(ROLE)


def downgrade() -> None:
    op.execute("""
        DROP TABLE bounty_claims, bounties, absences, recalls, nominations,
            council_members;
    """)
