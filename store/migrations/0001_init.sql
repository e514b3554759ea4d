-- The index: everything in it is a function of the contract's logs. README.md beside this folder explains each table.

-- One row: which contract on which chain, how far, and how the writer feels. Lives here so that it outlives the process.
CREATE TABLE checkpoint (
    one            boolean PRIMARY KEY DEFAULT true CHECK (one),
    chain_id       bigint NOT NULL,
    genesis_hash   bytea  NOT NULL,
    contract       bytea  NOT NULL,
    code_hash      bytea  NOT NULL,
    deploy_block   bigint NOT NULL,
    deploy_hash    bytea  NOT NULL,
    -- the next block to apply, and the block before it: the head of the index
    next_block     bigint NOT NULL,
    head_hash      bytea  NOT NULL,
    head_time      bigint NOT NULL,
    -- what the chain said of itself when last asked
    tip_block      bigint NOT NULL,
    safe_block     bigint NOT NULL,
    finalized_block bigint NOT NULL,
    -- goes up each time the writer sees that the index stands at the tip of the chain
    confirmations  bigint NOT NULL DEFAULT 0,
    -- the last sequence number given out in `changes`
    change_seq     bigint NOT NULL DEFAULT 0,
    -- goes up with each writer that takes over; a writer with an older one is refused
    writer_epoch   bigint NOT NULL DEFAULT 0,
    -- why the writer is not well; null when it is
    problem        text
);

-- The unfinalized window: the hashes that a reorg is found by.
CREATE TABLE block (
    number      bigint PRIMARY KEY,
    hash        bytea  NOT NULL,
    parent_hash bytea  NOT NULL,
    time        bigint NOT NULL
);

-- Every log of the contract, raw, in chain order. Append-only but for reorgs.
CREATE TABLE event (
    block_number bigint   NOT NULL,
    log_index    bigint   NOT NULL,
    block_hash   bytea    NOT NULL,
    tx_hash      bytea    NOT NULL,
    kind         text     NOT NULL,
    instance_id  bytea,
    namespace_id bytea,
    topics       bytea    NOT NULL, -- 32 bytes each, one after the other
    data         bytea    NOT NULL,
    PRIMARY KEY (block_number, log_index)
);
CREATE INDEX event_by_instance ON event (instance_id, block_number, log_index) WHERE instance_id IS NOT NULL;
-- What a reorg rebuilds an instance from: all but its heartbeats, of which there are far more.
CREATE INDEX event_of_record ON event (instance_id, block_number, log_index)
    WHERE instance_id IS NOT NULL AND kind <> 'Heartbeat';
CREATE INDEX event_by_namespace ON event (namespace_id, block_number, log_index) WHERE namespace_id IS NOT NULL;

-- What a reorg took out of `event`: never lost.
CREATE TABLE event_orphan (
    LIKE event,
    orphaned_by bytea NOT NULL, -- hash of the chain's head when the reorg was found
    PRIMARY KEY (block_hash, log_index)
);

-- One row per instance and heartbeat, whether it came alone or in a batch.
CREATE TABLE heartbeat (
    instance_id  bytea  NOT NULL,
    block_number bigint NOT NULL,
    log_index    bigint NOT NULL,
    time         bigint NOT NULL,
    PRIMARY KEY (instance_id, block_number, log_index)
);
CREATE INDEX heartbeat_by_block ON heartbeat (block_number);

CREATE TABLE namespace (
    namespace_id bytea PRIMARY KEY,
    label        text  NOT NULL,
    owner        bytea NOT NULL
);

CREATE TABLE service (
    service_key  bytea  PRIMARY KEY,
    namespace_id bytea  NOT NULL,
    name         text   NOT NULL,
    count        bigint NOT NULL,
    sequence     bigint NOT NULL
);

-- What an instance publishes: wide, seldom written.
CREATE TABLE instance (
    instance_id      bytea   PRIMARY KEY,
    service_key      bytea   NOT NULL,
    label            text    NOT NULL,
    registrant       bytea   NOT NULL,
    version          text    NOT NULL,
    endpoints        bytea[] NOT NULL,
    metadata         bytea   NOT NULL,
    record_hash      bytea   NOT NULL,
    registered_block bigint  NOT NULL,
    updated_block    bigint  NOT NULL
);
CREATE INDEX instance_by_service ON instance (service_key);

-- What a heartbeat touches: narrow, often written, with room on the page to do it in place.
CREATE TABLE live (
    instance_id    bytea    PRIMARY KEY,
    owner          bytea    NOT NULL,
    last_heartbeat bigint   NOT NULL,
    ttl            integer  NOT NULL,
    status         smallint NOT NULL,
    epoch          integer  NOT NULL
) WITH (fillfactor = 50);

-- What gateways have to read again. `seq` is gap-free and in commit order: the writer counts it in `checkpoint`.
CREATE TABLE changes (
    seq         bigint   PRIMARY KEY,
    kind        text     NOT NULL CHECK (kind IN ('instance', 'namespace', 'reorg')),
    subject     bytea    NOT NULL -- the instance id, the namespace id, or the hash of the common ancestor
);
