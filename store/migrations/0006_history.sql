-- What is said of an instance in its history: proposals, grants, endorsements. By kind, for strangers may endorse without
-- limit: who asks for one kind must not read through all of another. `event_of_record` has the rest.
CREATE INDEX event_said_of ON event (instance_id, kind, block_number, log_index)
    WHERE instance_id IS NOT NULL AND slot IS NOT NULL;
