-- Pictures that people marked (❤). A job that is deleted or forgotten takes its own with it.
CREATE TABLE favourites (
    user    INTEGER NOT NULL,
    job     INTEGER NOT NULL REFERENCES jobs (seq),
    number  INTEGER NOT NULL CHECK (number >= 0),
    created INTEGER NOT NULL,
    PRIMARY KEY (user, job, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX favourites_by_job ON favourites (job);
