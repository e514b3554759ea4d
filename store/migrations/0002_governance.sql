-- Who governs, who may act for whom, who endorses: the rest of the registry's storage, and that of its endorsements.

ALTER TABLE checkpoint ADD COLUMN endorsements bytea;

-- Which contract emitted a log, and the storage slot of the proposal, grant or endorsement that it sets.
ALTER TABLE event ADD COLUMN contract bytea, ADD COLUMN slot bytea;
UPDATE event SET contract = (SELECT contract FROM checkpoint);
ALTER TABLE event ALTER COLUMN contract SET NOT NULL;
ALTER TABLE event_orphan ADD COLUMN contract bytea, ADD COLUMN slot bytea;
UPDATE event_orphan SET contract = (SELECT contract FROM checkpoint);
ALTER TABLE event_orphan ALTER COLUMN contract SET NOT NULL;

-- What a reorg rebuilds a slot from; and an instance: not from its heartbeats, nor from what strangers say of it.
CREATE INDEX event_by_slot ON event (slot, kind, block_number, log_index) WHERE slot IS NOT NULL;
DROP INDEX event_of_record;
CREATE INDEX event_of_record ON event (instance_id, block_number, log_index)
    WHERE instance_id IS NOT NULL AND slot IS NULL AND kind <> 'Heartbeat';

-- A namespace has a row if the contract has a word for it: a personal one without a label, once it was opened or closed.
ALTER TABLE namespace
    ALTER COLUMN label DROP NOT NULL,
    ADD COLUMN open  boolean NOT NULL DEFAULT false,
    ADD COLUMN epoch integer NOT NULL DEFAULT 0;
ALTER TABLE namespace ALTER COLUMN open DROP DEFAULT, ALTER COLUMN epoch DROP DEFAULT;

-- What the authority said when it last set the status, since the last registration.
ALTER TABLE instance ADD COLUMN reason bytea;

-- The tables below have one row for each slot of the contract's storage, of whatever epoch, and say which event set it
-- last: a reorg deletes what blocks that go away have set, and puts back what was there.

CREATE TABLE namespace_proposal (
    slot         bytea   PRIMARY KEY,
    namespace_id bytea   NOT NULL,
    epoch        integer NOT NULL,
    account      bytea   NOT NULL, -- zero: taken back
    block_number bigint  NOT NULL,
    log_index    bigint  NOT NULL,
    UNIQUE (namespace_id, epoch)
);
CREATE INDEX namespace_proposal_by_block ON namespace_proposal (block_number);

CREATE TABLE registrar (
    slot         bytea   PRIMARY KEY,
    namespace_id bytea   NOT NULL,
    epoch        integer NOT NULL,
    registrar    bytea   NOT NULL,
    expires_at   bigint  NOT NULL, -- 0: dismissed
    block_number bigint  NOT NULL,
    log_index    bigint  NOT NULL
);
CREATE INDEX registrar_newest ON registrar (namespace_id, epoch, block_number, log_index) WHERE expires_at <> 0;
CREATE INDEX registrar_by_block ON registrar (block_number);

CREATE TABLE proposal (
    slot         bytea   PRIMARY KEY,
    instance_id  bytea   NOT NULL,
    epoch        integer NOT NULL,
    account      bytea   NOT NULL, -- zero: taken back
    block_number bigint  NOT NULL,
    log_index    bigint  NOT NULL,
    UNIQUE (instance_id, epoch)
);
CREATE INDEX proposal_by_block ON proposal (block_number);

CREATE TABLE operator (
    slot         bytea    PRIMARY KEY,
    owner        bytea    NOT NULL,
    operator     bytea    NOT NULL,
    permissions  smallint NOT NULL, -- 0: withdrawn
    expires_at   bigint   NOT NULL,
    block_number bigint   NOT NULL,
    log_index    bigint   NOT NULL
);
CREATE INDEX operator_newest ON operator (owner, block_number, log_index) WHERE permissions <> 0;
CREATE INDEX operator_by_block ON operator (block_number);

CREATE TABLE instance_operator (
    slot         bytea    PRIMARY KEY,
    instance_id  bytea    NOT NULL,
    epoch        integer  NOT NULL,
    operator     bytea    NOT NULL,
    permissions  smallint NOT NULL, -- 0: withdrawn
    expires_at   bigint   NOT NULL,
    block_number bigint   NOT NULL,
    log_index    bigint   NOT NULL
);
CREATE INDEX instance_operator_newest ON instance_operator (instance_id, epoch, block_number, log_index)
    WHERE permissions <> 0;
CREATE INDEX instance_operator_by_block ON instance_operator (block_number);

CREATE TABLE endorsement (
    slot         bytea   PRIMARY KEY,
    instance_id  bytea   NOT NULL,
    epoch        integer NOT NULL,
    endorser     bytea   NOT NULL,
    topic        bytea   NOT NULL,
    expires_at   bigint  NOT NULL,
    digest       bytea   NOT NULL,
    withdrawn    boolean NOT NULL,
    block_number bigint  NOT NULL,
    log_index    bigint  NOT NULL
);
CREATE INDEX endorsement_newest ON endorsement (instance_id, epoch, block_number, log_index) WHERE NOT withdrawn;
CREATE INDEX endorsement_by_block ON endorsement (block_number);

-- `grants`: what others than its record say of an instance. `operator`: an owner's operators, by the owner's address as
-- a word.
ALTER TABLE changes DROP CONSTRAINT changes_kind_check;
ALTER TABLE changes ADD CONSTRAINT changes_kind_check
    CHECK (kind IN ('instance', 'namespace', 'grants', 'operator', 'reorg'));
