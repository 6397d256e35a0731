-- The time that the last look for what is too old went by, so that a clock that leaps ahead makes nothing old at once.
CREATE TABLE swept (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
);
