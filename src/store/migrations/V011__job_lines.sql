-- What a job did, line by line; the newest are kept, and all go with their job.
CREATE TABLE job_line (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    level  TEXT NOT NULL CHECK (level IN ('info', 'warn', 'fail')),
    text   TEXT NOT NULL,
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;
