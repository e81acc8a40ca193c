-- What a job did, line by line; the newest are kept, and all go with their job.
CREATE TABLE job_line (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    level  TEXT NOT NULL CHECK (level IN ('info', 'warn', 'fail')),
    text   TEXT NOT NULL,
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

-- stop_requested: somebody cancelled it while it ran; the worker heeds it.
ALTER TABLE job ADD COLUMN stop_requested INTEGER NOT NULL DEFAULT 0 CHECK (stop_requested IN (0, 1));
