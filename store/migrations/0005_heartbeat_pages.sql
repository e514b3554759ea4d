-- The same, but for two things. It waits for nobody, since whoever calls it holds the row of `checkpoint`: "lock not available"
-- (55P03) if somebody reads the partition. And it leaves in `heartbeat_old` what was the newest heartbeat of an instance before:
-- the writer deletes that a page at a time, since one statement over a large table takes too long.
CREATE OR REPLACE FUNCTION heartbeat_drop(before bigint, settled bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part text;
BEGIN
    FOR part IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'heartbeat'::regclass
          AND to_date(substr(relname, 11), 'YYYY_MM_DD') < date '1970-01-01' + before::integer
    LOOP
        EXECUTE format('LOCK TABLE %I NOWAIT', part);
        EXECUTE format(
            'INSERT INTO heartbeat_old (instance_id, block_number, log_index, time)
             SELECT instance_id, block_number, log_index, time FROM %1$I WHERE block_number > $1
             UNION ALL
             (SELECT DISTINCT ON (instance_id) instance_id, block_number, log_index, time FROM %1$I
              WHERE block_number <= $1 ORDER BY instance_id, block_number DESC, log_index DESC)', part) USING settled;
        EXECUTE format('DROP TABLE %I', part);
    END LOOP;
END $$;
