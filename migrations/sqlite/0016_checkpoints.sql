-- Pictures on their way: where each goes on when its worker is gone. The rows go when their job ends.
CREATE TABLE checkpoints (
    job    INTEGER NOT NULL REFERENCES jobs (seq),
    number INTEGER NOT NULL CHECK (number >= 0),
    steps  INTEGER NOT NULL CHECK (steps >= 0),  -- the most that were ever done of the picture
    state  BLOB,                                 -- NULL once the picture is recorded
    PRIMARY KEY (job, number)
) STRICT;
