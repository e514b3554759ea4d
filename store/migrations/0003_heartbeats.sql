-- Heartbeats by day, so that old ones go a table at a time; and what stays of them: uptimes.

-- The time of its block, of events that change a lease and do not say when. Null until the indexer has asked for it.
ALTER TABLE event ADD COLUMN time bigint;
ALTER TABLE event_orphan ADD COLUMN time bigint;
-- Empty but for what was indexed before there were times.
CREATE INDEX event_undated ON event (block_number) WHERE time IS NULL
    AND kind IN ('Updated', 'Deregistered', 'StatusSet', 'Reaped', 'SignedHeartbeatBatch');

-- Nobody asks for heartbeats by instance in `event`, where most rows are such: `event_of_record` has the others.
DROP INDEX event_by_instance;

ALTER TABLE heartbeat RENAME TO heartbeat_before;
ALTER INDEX heartbeat_pkey RENAME TO heartbeat_before_pkey;
DROP INDEX heartbeat_by_block;

-- One row per instance and heartbeat, whether it came alone or in a batch. A partition holds a UTC day of chain time.
CREATE TABLE heartbeat (
    instance_id  bytea  NOT NULL,
    block_number bigint NOT NULL,
    log_index    bigint NOT NULL,
    time         bigint NOT NULL,
    PRIMARY KEY (instance_id, block_number, log_index, time)
) PARTITION BY RANGE (time);
-- For reorgs alone. Rows come in the order of blocks, so the summary of a run of pages is enough, and costs nothing to write.
CREATE INDEX heartbeat_by_block ON heartbeat USING brin (block_number);

-- Heartbeats of days that have no partition any more: of each instance the newest, and those that came late.
CREATE TABLE heartbeat_old (
    instance_id  bytea  NOT NULL,
    block_number bigint NOT NULL,
    log_index    bigint NOT NULL,
    time         bigint NOT NULL,
    PRIMARY KEY (instance_id, block_number, log_index)
);
CREATE INDEX heartbeat_old_by_block ON heartbeat_old (block_number);

CREATE VIEW heartbeat_all AS
    SELECT instance_id, block_number, log_index, time FROM heartbeat
    UNION ALL SELECT instance_id, block_number, log_index, time FROM heartbeat_old;

-- Makes the partitions of these days (counted from 1970-01-01) that are not there. ATTACH locks out no reader, as PARTITION
-- OF would. The caller holds the row of `checkpoint`, so no other writer makes them meanwhile.
CREATE FUNCTION heartbeat_days(days bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    day  bigint;
    name text;
BEGIN
    FOREACH day IN ARRAY days LOOP
        name := to_char(date '1970-01-01' + day::integer, '"heartbeat_"YYYY_MM_DD');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE heartbeat)', name);
            EXECUTE format('ALTER TABLE heartbeat ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           name, day * 86400, (day + 1) * 86400);
        END IF;
    END LOOP;
END $$;

-- Drops the partitions of days before this one. Of what was in them, `heartbeat_old` keeps what blocks above `settled`
-- said, and of each instance the newest up to there: what a reorg down to `settled` may need.
CREATE FUNCTION heartbeat_drop(before bigint, settled bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part text;
BEGIN
    FOR part IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'heartbeat'::regclass
          AND to_date(substr(relname, 11), 'YYYY_MM_DD') < date '1970-01-01' + before::integer
    LOOP
        EXECUTE format(
            'INSERT INTO heartbeat_old (instance_id, block_number, log_index, time)
             SELECT instance_id, block_number, log_index, time FROM %1$I WHERE block_number > $1
             UNION ALL
             (SELECT DISTINCT ON (instance_id) instance_id, block_number, log_index, time FROM %1$I
              WHERE block_number <= $1 ORDER BY instance_id, block_number DESC, log_index DESC)', part) USING settled;
        EXECUTE format('DROP TABLE %I', part);
    END LOOP;
    DELETE FROM heartbeat_old AS old
    WHERE time < before * 86400 AND block_number <= settled AND EXISTS (
        SELECT FROM heartbeat_old AS newer
        WHERE newer.instance_id = old.instance_id AND newer.block_number <= settled
          AND (newer.block_number, newer.log_index) > (old.block_number, old.log_index));
END $$;

-- No more than a year of partitions at once; what is older is kept all the same.
SELECT heartbeat_days(array_agg(day)) FROM (
    SELECT DISTINCT time / 86400 AS day FROM heartbeat_before ORDER BY day DESC LIMIT 366
) AS days HAVING count(*) > 0;
INSERT INTO heartbeat_old (instance_id, block_number, log_index, time)
    SELECT instance_id, block_number, log_index, time FROM heartbeat_before
    WHERE to_regclass(to_char(date '1970-01-01' + (time / 86400)::integer, '"heartbeat_"YYYY_MM_DD')) IS NULL;
INSERT INTO heartbeat (instance_id, block_number, log_index, time)
    SELECT instance_id, block_number, log_index, time FROM heartbeat_before
    WHERE to_regclass(to_char(date '1970-01-01' + (time / 86400)::integer, '"heartbeat_"YYYY_MM_DD')) IS NOT NULL;
DROP TABLE heartbeat_before;

-- Per instance and UTC day of chain time. Only days that cannot change any more, and only what is not all zero.
CREATE TABLE uptime (
    instance_id bytea   NOT NULL,
    day         date    NOT NULL,
    seconds_up  integer NOT NULL,
    heartbeats  bigint  NOT NULL,
    PRIMARY KEY (instance_id, day)
);
CREATE INDEX uptime_by_day ON uptime (day);

-- The leases as they were when the first day began that is not in `uptime` yet.
CREATE TABLE uptime_lease (
    instance_id    bytea    PRIMARY KEY,
    last_heartbeat bigint   NOT NULL,
    ttl            integer  NOT NULL,
    status         smallint NOT NULL
);

-- One row: how far the history is kept and rolled up. Days are counted from 1970-01-01.
CREATE TABLE upkeep (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- no partition is made any more for days before this one
    heartbeats_from bigint NOT NULL DEFAULT 0,
    -- of what blocks up to this one said, only the newest heartbeat of each instance is left from those days
    thinned_to      bigint NOT NULL DEFAULT 0,
    -- all days before this one are in `uptime`, and all events of blocks up to this one, and no other, came before it
    uptime_day      bigint NOT NULL DEFAULT 0,
    uptime_block    bigint NOT NULL DEFAULT 0
);
INSERT INTO upkeep DEFAULT VALUES;
