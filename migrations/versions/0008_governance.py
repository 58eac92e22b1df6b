"""Governance: proposals, ballots, tallies, and the councils they may be of.

Who voted and what was cast in a secret vote are two tables that share no key, no time
and no order. Everything that a decision rests on is only added to.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

PROPOSALS = """
CREATE TABLE proposal_types (
    name text,
    version integer,
    parameters jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    changed_by uuid, -- the proposal that made this version; null: shipped
    PRIMARY KEY (name, version),
    CONSTRAINT type_name CHECK (name ~ '^[a-z][a-z0-9_]{1,63}$')
);

CREATE TABLE councils (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL,
    seats smallint NOT NULL CHECK (seats > 0),
    term_days integer NOT NULL CHECK (term_days > 0),
    affiliation_cap smallint CHECK (affiliation_cap > 0),
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX councils_name ON councils (lower(name));

CREATE TABLE proposals (
    id uuid PRIMARY KEY,
    type text NOT NULL,
    type_version integer NOT NULL, -- the newest when it was opened
    author uuid NOT NULL REFERENCES users,
    council_id uuid REFERENCES councils,
    amends uuid REFERENCES proposals,
    created_at timestamptz NOT NULL,
    -- What was last told to those who listen. What is so is computed.
    announced text NOT NULL DEFAULT 'draft',
    turnout integer NOT NULL DEFAULT 0, -- people with a ballot of their own
    FOREIGN KEY (type, type_version) REFERENCES proposal_types
);
CREATE INDEX proposals_announced ON proposals (announced, id);
CREATE INDEX proposals_live ON proposals (id) WHERE announced NOT IN
    ('passed', 'failed', 'cancelled', 'vetoed', 'executed', 'expired');
CREATE INDEX proposals_author ON proposals (author, id);
CREATE INDEX proposals_council ON proposals (council_id, id);
CREATE INDEX proposals_amends ON proposals (amends, id);

CREATE TABLE proposal_texts (
    proposal_id uuid REFERENCES proposals,
    version integer,
    title text NOT NULL,
    description text NOT NULL,
    options text[] NOT NULL,
    tags text[] NOT NULL,
    details jsonb NOT NULL,
    diff text NOT NULL, -- from the version before, line by line
    words tsvector NOT NULL, -- of title and description
    author uuid NOT NULL REFERENCES users,
    at timestamptz NOT NULL,
    PRIMARY KEY (proposal_id, version)
);
CREATE INDEX proposal_texts_words ON proposal_texts USING gin (words);
CREATE INDEX proposal_texts_tags ON proposal_texts USING gin (tags);

-- What happened to a proposal, each thing once: its state follows from these.
CREATE TABLE proposal_events (
    proposal_id uuid REFERENCES proposals,
    kind text,
    at timestamptz NOT NULL,
    actor uuid,
    details jsonb NOT NULL,
    PRIMARY KEY (proposal_id, kind),
    CONSTRAINT known_kind CHECK (kind IN ('opened', 'cancelled', 'quorum_reached',
        'settled', 'tallied', 'vetoed', 'executed', 'concluded', 'refunded'))
);
CREATE INDEX proposal_events_cancelled ON proposal_events (proposal_id)
    WHERE kind = 'cancelled';

CREATE TABLE proposal_seeds (
    proposal_id uuid PRIMARY KEY REFERENCES proposals,
    seed bytea NOT NULL,
    CONSTRAINT long_seed CHECK (octet_length(seed) = 32)
);
"""

VOTES = """
CREATE TABLE proposal_freezes (
    proposal_id uuid PRIMARY KEY REFERENCES proposals,
    at timestamptz NOT NULL,
    people bigint NOT NULL,
    weight bigint NOT NULL,
    definition text NOT NULL, -- canonical JSON, whose SHA-256 is published
    sha256 text NOT NULL
);
CREATE TABLE electors (
    proposal_id uuid REFERENCES proposals,
    voter_id uuid,
    weight bigint NOT NULL,
    delegate_id uuid,
    PRIMARY KEY (proposal_id, voter_id)
);
CREATE INDEX electors_delegate ON electors (proposal_id, delegate_id)
    WHERE delegate_id IS NOT NULL;

-- Who has voted: not when, and not what.
CREATE TABLE participations (
    proposal_id uuid,
    voter_id uuid,
    PRIMARY KEY (proposal_id, voter_id),
    FOREIGN KEY (proposal_id, voter_id) REFERENCES electors
);
-- Open votes; of each person's ballots the one of the highest sequence counts.
CREATE TABLE ballots (
    proposal_id uuid,
    voter_id uuid,
    sequence integer,
    ballot jsonb NOT NULL,
    rationale text,
    cast_at timestamptz NOT NULL,
    job_id uuid NOT NULL,
    PRIMARY KEY (proposal_id, voter_id, sequence),
    FOREIGN KEY (proposal_id, voter_id) REFERENCES participations
);
-- Secret votes: what was cast, under keys drawn at random. Not who, not when; and as
-- each key chooses one of many tables, rows do not lie in the order they came, either.
CREATE TABLE secret_ballots (
    proposal_id uuid REFERENCES proposals,
    key uuid,
    ballot jsonb NOT NULL,
    PRIMARY KEY (proposal_id, key)
) PARTITION BY HASH (key);
-- What voters were given to find their ballot counted. It leads to no ballot.
CREATE TABLE ballot_receipts (
    proposal_id uuid REFERENCES proposals,
    receipt text,
    PRIMARY KEY (proposal_id, receipt)
);

CREATE TABLE delegations (
    id uuid PRIMARY KEY,
    delegator uuid NOT NULL REFERENCES users,
    delegate uuid NOT NULL REFERENCES users,
    topic text, -- a proposal type; null: all of them
    since timestamptz NOT NULL,
    until timestamptz,
    ended_at timestamptz,
    CONSTRAINT to_another CHECK (delegator <> delegate),
    CONSTRAINT ends_after_it_began CHECK (until > since)
);
CREATE UNIQUE INDEX delegations_standing ON delegations
    (delegator, coalesce(topic, '')) WHERE ended_at IS NULL;
CREATE INDEX delegations_delegate ON delegations (delegate, id);
CREATE INDEX delegations_delegator ON delegations (delegator, id);

CREATE TABLE conflicts_of_interest (
    proposal_id uuid REFERENCES proposals,
    voter_id uuid REFERENCES users,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (proposal_id, voter_id)
);

-- Credits that votes cost: a row for each change, below zero where some came back.
CREATE TABLE vote_spendings (
    transfer_id uuid PRIMARY KEY REFERENCES transfers,
    proposal_id uuid NOT NULL REFERENCES proposals,
    voter_id uuid NOT NULL REFERENCES users,
    season text NOT NULL,
    credits bigint NOT NULL
);
CREATE INDEX vote_spendings_season ON vote_spendings (voter_id, season);
CREATE INDEX vote_spendings_proposal ON vote_spendings (proposal_id, voter_id);

-- Ballots counted so far, identical ones together; forgotten when all are.
CREATE TABLE tally_parts (
    proposal_id uuid REFERENCES proposals,
    part integer,
    last uuid NOT NULL, -- the voter or key up to whom they are in
    ballots bigint NOT NULL,
    groups jsonb NOT NULL,
    PRIMARY KEY (proposal_id, part)
);
CREATE TABLE tallies (
    id uuid PRIMARY KEY,
    proposal_id uuid NOT NULL REFERENCES proposals,
    method text NOT NULL,
    advisory boolean NOT NULL,
    ballots_sha256 text NOT NULL,
    groups jsonb NOT NULL,
    result text NOT NULL, -- canonical JSON
    at timestamptz NOT NULL
);
CREATE UNIQUE INDEX tallies_binding ON tallies (proposal_id) WHERE NOT advisory;
CREATE INDEX tallies_proposal ON tallies (proposal_id, id);
"""

_PARTS = tuple(f"secret_ballots_{number:02}" for number in range(64))

_ONLY_ADDED_TO = (
    *("proposal_types", "proposal_texts", "proposal_events", "proposal_seeds"),
    *("proposal_freezes", "electors", "participations", "ballots", "secret_ballots"),
    *("ballot_receipts", "conflicts_of_interest", "vote_spendings", "tallies"),
)
_KEPT = ("proposals", "councils", "delegations")

ROLE = """
GRANT SELECT, INSERT ON proposal_types, proposal_texts, proposal_events,
    proposal_seeds, proposal_freezes, electors, ballots, conflicts_of_interest,
    vote_spendings, tallies, councils TO coin_app;
-- Columns by name: of a whole table one reads in which transaction a row was written,
-- and where it lies on disk, which would lead from a secret ballot to its job.
GRANT INSERT, SELECT (proposal_id, voter_id) ON participations TO coin_app;
GRANT INSERT, SELECT (proposal_id, key, ballot) ON secret_ballots TO coin_app;
GRANT INSERT, SELECT (proposal_id, receipt) ON ballot_receipts TO coin_app;
GRANT SELECT, INSERT, UPDATE (type_version, announced, turnout) ON proposals
    TO coin_app;
GRANT SELECT, INSERT, UPDATE (until, ended_at) ON delegations TO coin_app;
GRANT SELECT, INSERT, DELETE ON tally_parts TO coin_app;

GRANT SELECT ON proposals, proposal_texts, proposal_events, proposal_types, councils
    TO coin_observer;
"""

# A secret ballot waits sealed in its job, and leaves it when it is cast.
JOBS = """
CREATE FUNCTION refuse_other_payload() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what job % asks for stays as it was asked', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER jobs_payload BEFORE UPDATE OF payload ON jobs FOR EACH ROW
    WHEN (OLD.kind <> 'governance.cast_secret' OR NEW.payload::jsonb
          <> jsonb_build_object('proposal_id', OLD.payload->>'proposal_id'))
    EXECUTE FUNCTION refuse_other_payload();
-- One that will never be cast leaves it, too: its voter thought better of it, perhaps.
CREATE FUNCTION forget_uncast_ballot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.payload := json_build_object('proposal_id', OLD.payload->>'proposal_id');
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_uncast_ballot BEFORE UPDATE OF state ON jobs FOR EACH ROW
    WHEN (OLD.kind = 'governance.cast_secret'
          AND NEW.state IN ('cancelled', 'expired'))
    EXECUTE FUNCTION forget_uncast_ballot();
GRANT UPDATE (payload) ON jobs TO coin_app;
"""

_PASS = {"option": "yes", "bound": "more_than", "share": "1/2", "of": "cast"}
_TWO_THIRDS = {"option": "yes", "bound": "at_least", "share": "2/3", "of": "cast"}
_TYPES = {
    "simple_majority": {
        "about": "Anything that more than half of those who vote should want.",
        "method": "yes-no",
        "quorum": "1/10",
        "requirements": [_PASS],
        "delegation": True,
        "delegation_cap": 100,
        "extension_hours": 24,
    },
    "two_thirds": {
        "about": "What two thirds of those who vote should want.",
        "method": "yes-no",
        "rank": 2,
        "quorum": "1/5",
        "requirements": [_TWO_THIRDS],
        "delegation": True,
        "delegation_cap": 100,
        "extension_hours": 48,
    },
    "consent": {
        "about": "What nobody objects to for a reason.",
        "method": "consent",
        "rank": 2,
        "quorum": "1/10",
        "discussion_hours": 120,
    },
    "council_election": {
        "about": "Who sits in a council: nominations, then a secret ranked vote.",
        "method": "scottish-stv",
        "rank": 2,
        "proposers": "operator",
        "secret": True,
        "replaceable": False,
        "discussion_hours": 168,
        "freeze_hours": 24,
        "voting_days": 14,
        "deed": "seats",
    },
    "recall": {
        "about": "Whether a member of a council, or all of it, loses the seat.",
        "method": "yes-no",
        "rank": 2,
        "requirements": [_TWO_THIRDS],
        "secret": True,
        "replaceable": False,
        "discussion_hours": 0,
        "freeze_hours": 0,
        "voting_days": 14,
        "deed": "recall",
    },
    "budget": {
        "about": "How much each of several things is worth: n votes cost n² credits.",
        "method": "quadratic",
        "quorum": "1/10",
        "budget": 100,
    },
    "treasury_spend": {
        "about": "Credits from the treasury to a member.",
        "method": "yes-no",
        "rank": 2,
        "quorum": "1/5",
        "requirements": [_PASS],
        "extension_hours": 48,
        "deed": "spend",
        "timelock_hours": 48,
        "veto": True,
        "signed": True,
    },
    "bylaw_change": {
        "about": "The rules themselves: parameters of a type of proposals.",
        "method": "yes-no",
        "rank": 9,
        "quorum": "1/3",
        "requirements": [
            _TWO_THIRDS,
            {"option": "yes", "bound": "at_least", "share": "1/4", "of": "eligible"},
        ],
        "discussion_hours": 168,
        "voting_days": 14,
        "extension_hours": 72,
        "deed": "parameters",
        "timelock_hours": 168,
        "veto": True,
        "signed": True,
    },
    "council_decision": {
        "about": "What a council decides; who has an interest of their own abstains.",
        "method": "yes-no",
        "proposers": "council",
        "electors": "council",
        "quorum": "1/2",
        "requirements": [_PASS],
        "discussion_hours": 24,
        "freeze_hours": 0,
        "voting_days": 7,
    },
}


def upgrade() -> None:
    for script in (PROPOSALS, VOTES):
        op.execute(script)
    for number, part in enumerate(_PARTS):
        op.execute(
            f"CREATE TABLE {part} PARTITION OF secret_ballots "
            f"FOR VALUES WITH (MODULUS {len(_PARTS)}, REMAINDER {number})"
        )
    for table in (*_ONLY_ADDED_TO, *_PARTS):
        _refuse(table, "UPDATE OR DELETE OR TRUNCATE")
    for table in _KEPT:
        _refuse(table, "DELETE OR TRUNCATE")
    op.execute(ROLE)
    op.execute(JOBS)
    insert = sa.text("""
        INSERT INTO proposal_types (name, version, parameters, created_at)
        VALUES (:name, 1, CAST(:parameters AS jsonb), now())
    """)
    for name, parameters in _TYPES.items():
        bound = {"name": name, "parameters": json.dumps(parameters)}
        op.execute(insert.bindparams(**bound))


def _refuse(table: str, deeds: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_kept BEFORE {deeds} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();"
    )


def downgrade() -> None:
    op.execute("""
        REVOKE UPDATE (payload) ON jobs FROM coin_app;
        DROP TRIGGER jobs_uncast_ballot ON jobs;
        DROP TRIGGER jobs_payload ON jobs;
        DROP FUNCTION forget_uncast_ballot, refuse_other_payload;
        DROP TABLE tallies, tally_parts, vote_spendings,
            conflicts_of_interest, delegations, ballot_receipts, secret_ballots,
            ballots, participations, electors, proposal_freezes, proposal_seeds,
            proposal_events, proposal_texts, proposals, councils, proposal_types;
    """)
