-- What a job's owner wants less of: to stop it at the next step, and a bit for each picture that is left out.
ALTER TABLE jobs ADD COLUMN is_stop_requested INTEGER NOT NULL DEFAULT 0 CHECK (is_stop_requested IN (0, 1));
ALTER TABLE jobs ADD COLUMN culled INTEGER NOT NULL DEFAULT 0;

-- What pictures that were handed out before their end go on from, and after how many of their own steps that was. Bounded by their age and by
-- their bytes in all ([data] keep_states_days and keep_states_mib); a job that is deleted takes its own with it.
CREATE TABLE states (
    job     INTEGER NOT NULL REFERENCES jobs (seq),
    number  INTEGER NOT NULL CHECK (number >= 0),
    blob    TEXT    NOT NULL CHECK (length(blob) = 64),
    bytes   INTEGER NOT NULL CHECK (bytes > 0),
    done    INTEGER NOT NULL,
    total   INTEGER NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX states_by_blob ON states (blob);
CREATE INDEX states_by_age ON states (created, job);
