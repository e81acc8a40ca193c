-- The next job of a lane is the best of each organization's first: one look at this index an organization, where a walk
-- over everything that waits was most of the work of importing ten thousand packages.
CREATE INDEX job_waiting ON job (lane, org_id, run_at) WHERE state = 'ready';
DROP INDEX job_due;
