-- The blobs that a job is made from, each with the part that it plays in it (inference/src/task/input.rs).
CREATE TABLE inputs (
    job    INTEGER NOT NULL REFERENCES jobs (seq),
    number INTEGER NOT NULL CHECK (number >= 0),
    role   TEXT    NOT NULL CHECK (role <> ''),
    blob   TEXT    NOT NULL CHECK (length(blob) = 64),
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX inputs_by_blob ON inputs (blob);

-- Before, a row named its source alone, and its task may name a mask.
INSERT INTO inputs (job, number, role, blob) SELECT seq, 0, 'init', source FROM jobs WHERE length(source) = 64;
INSERT INTO inputs (job, number, role, blob)
    SELECT seq, 1, 'mask', task ->> '$.mask' FROM jobs WHERE task ->> '$.kind' = 'inpaint' AND length(task ->> '$.mask') = 64;

DROP INDEX jobs_by_source;
ALTER TABLE jobs DROP COLUMN source;
